"""AP of masks from results in memory, against pycocotools.

200 images as of COCO; `IMAGES=5000 make bench` takes as many as val2017 has.
Both arms index the truth, load the results and give precision and recall.
"""

import contextlib
import copy
import io
import os
from functools import cache

import numpy as np
from coco_results import Setting, draw
from harness import Arms, bench
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmseg_plugin.evaluation.average_precision import (
    COCO_IOU_THRS,
    curves,
    judged_truth,
    load_results,
)
from mmseg_plugin.evaluation.coco_backends import (
    Question,
    answer,
    chosen,
    numbered,
)

IMAGES = int(os.environ.get('IMAGES', '200'))
MAX_DETS = [1, 10, 100]


@cache
def drawn() -> tuple[dict, list[dict]]:
    return draw(Setting(IMAGES))


def checked(kind: str) -> tuple:
    """Truth and results as the metric takes them, and the ids of classes."""
    content, results = drawn()
    names = [row['name'] for row in content['categories']]
    truth, ids = judged_truth(content, 'truth', names, [kind])
    return truth, load_results(truth, results, kind), ids


def ours(kind: str) -> dict:
    truth, found, ids = checked(kind)
    return curves(truth, found, kind, ids, MAX_DETS)


def peer(kind: str) -> dict:
    content, results = drawn()
    field = 'bbox' if kind == 'bbox' else 'segmentation'
    keys = ('image_id', 'category_id', 'score', field)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        # It writes into what it is given.
        truth.dataset = copy.deepcopy(content)
        truth.createIndex()
        found = truth.loadRes([{k: row[k] for k in keys} for row in results])
        judge = COCOeval(truth, found, kind)
        judge.params.maxDets = MAX_DETS
        judge.evaluate()
        judge.accumulate()
    return judge.eval


def arms(kind: str) -> Arms:
    # In a fresh process only one arm is to run.
    drawn()
    return Arms(lambda: ours(kind), lambda: peer(kind))


def agreeing(kind: str) -> Arms:
    got, expected = ours(kind), peer(kind)
    for key in ('precision', 'recall'):
        np.testing.assert_allclose(got[key], expected[key], atol=1e-12)
    return arms(kind)


def backend_alone(kind: str) -> Arms:
    """What is left without our checks and numbers: the floor."""
    content, rows = numbered(*checked(kind))
    question = Question(content, rows, kind, MAX_DETS, COCO_IOU_THRS)
    backend = chosen('auto', kind)
    return Arms(lambda: answer(question, backend), lambda: peer(kind))


bench('coco_eval_segm', 'pycocotools', 15)(lambda: agreeing('segm'))
bench('coco_eval_segm_backend', 'pycocotools', 15)(
    lambda: backend_alone('segm')
)
bench('coco_eval_bbox', 'pycocotools', 15)(lambda: agreeing('bbox'))
bench('coco_eval_segm_memory', 'pycocotools', 2, 'MB')(lambda: arms('segm'))
