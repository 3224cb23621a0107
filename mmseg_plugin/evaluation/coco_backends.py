"""Precision and recall by pycocotools, or by what is faster and equal to it.

docs/evaluation.md shows where the others depart from pycocotools; a
:class:`Question` is put so that none of these places is reached.
"""

import contextlib
import io
from collections.abc import Callable, Sequence
from importlib import metadata
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as mask_utils
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

# The backends from the fastest on, and their releases that
# benchmarks/compare_backends.py found equal to pycocotools.
COMPARED = {
    'hotcoco': '1.3.',
    'vernier': '0.5.',
    'faster_coco_eval': '1.8.',
    'pycocotools': '',
}
# Those that know Boundary AP ("Boundary IoU", arXiv 2103.16562).
WITH_BOUNDARY = ('faster_coco_eval', 'vernier')


class Question(NamedTuple):
    """What is judged; images, classes and objects are numbered from 1.

    Attributes:
        truth: content of an instance file, whose annotations have all
            fields; ``counts`` of RLEs are text.
        results: ``image_id``, ``category_id``, ``score`` and ``bbox`` or
            ``segmentation``; at least one.
        kind: ``'bbox'``, ``'segm'`` or ``'boundary'``: masks by the smaller
            of their IoU and that of their boundaries.
        max_dets: numbers of detections of an image and class that count, in
            ascending order.
        iou_thrs: thresholds, in ascending order.
    """

    truth: dict
    results: list[dict]
    kind: str
    max_dets: list[int]
    iou_thrs: np.ndarray


def available(backend: str) -> bool:
    """Whether a release of a backend is here that was compared."""
    try:
        version = metadata.version(backend)
    except metadata.PackageNotFoundError:
        return False
    return version.startswith(COMPARED[backend])


def chosen(backend: str, kind: str = 'segm') -> str:
    """The backend to use: of ``'auto'`` the fastest that is equal.

    Args:
        backend: what the user asks for.
        kind: see :class:`Question`.

    Raises:
        ValueError: there is no such backend, it is not installed, or it does
            not know the kind.
    """
    knowing = WITH_BOUNDARY if kind == 'boundary' else tuple(COMPARED)
    if backend == 'auto':
        found = [name for name in knowing if available(name)]
        if not found:
            raise ValueError(
                'Boundary AP needs a backend that counts it: pip install '
                "'mmseg_plugin[boundary]', or leave boundary=True out"
            )
        return found[0]
    if backend not in COMPARED:
        raise ValueError(
            f'backend {backend!r} is not among {["auto", *COMPARED]}'
        )
    if backend not in knowing:
        raise ValueError(
            f'backend {backend!r} does not count Boundary AP: '
            f"{' and '.join(map(repr, knowing))} do, or take 'auto'"
        )
    try:
        metadata.version(backend)
    except metadata.PackageNotFoundError as error:
        raise ValueError(
            f'backend {backend!r} is not installed: pip install '
            f"{backend.replace('_', '-')}, or take 'auto'"
        ) from error
    return backend


def answer(question: Question, backend: str) -> dict[str, np.ndarray]:
    """``precision`` (IoU, recall, class, area, max_dets) and ``recall``.

    Args:
        question: what is judged.
        backend: see :func:`chosen`.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        evaluated = _BACKENDS[backend](question)
    return {k: np.asarray(evaluated[k]) for k in ('precision', 'recall')}


def by_pycocotools(
    question: Question, evaluator: type[COCOeval] = COCOeval
) -> dict:
    """pycocotools' evaluation, or that of a class derived from it."""
    truth = indexed(question.truth)
    # loadRes cannot load an empty list.
    found = indexed({**question.truth, 'annotations': []})
    if question.results:
        # It writes into the rows.
        found = truth.loadRes([dict(row) for row in question.results])
    judge = evaluator(truth, found, question.kind)
    return _run(judge, question)


def indexed(content: dict) -> COCO:
    """pycocotools' view of an annotation file's content."""
    truth = COCO()
    truth.dataset = {'annotations': [], **content}
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
    return truth


def _run(judge: Any, question: Question) -> dict:
    judge.params.maxDets = question.max_dets
    judge.params.iouThrs = question.iou_thrs
    judge.evaluate()
    judge.accumulate()
    return judge.eval


def _by_faster_coco_eval(question: Question) -> dict:
    import faster_coco_eval as fast

    truth = fast.COCO(question.truth)
    found = truth.loadRes([dict(row) for row in question.results])
    return _run(fast.COCOeval_faster(truth, found, question.kind), question)


def _by_hotcoco(question: Question) -> dict:
    import hotcoco

    truth = hotcoco.COCO(question.truth)
    found = truth.load_res(question.results)
    return _run(hotcoco.COCOeval(truth, found, question.kind), question)


def _by_vernier(question: Question) -> dict:
    import vernier

    rows = [{**row, **_measures(row)} for row in question.results]
    truth = indexed(question.truth)
    found = SimpleNamespace(dataset={'annotations': rows})
    return _run(vernier.COCOeval(truth, found, question.kind), question)


def _measures(row: dict) -> dict:
    """Box and area, as pycocotools' loadRes adds them."""
    if 'bbox' in row:
        return {'area': row['bbox'][2] * row['bbox'][3]}
    rle = row['segmentation']
    return {
        'bbox': mask_utils.toBbox(rle).tolist(),
        'area': float(mask_utils.area(rle)),
    }


_BACKENDS: dict[str, Callable[[Question], dict]] = {
    'hotcoco': _by_hotcoco,
    'vernier': _by_vernier,
    'faster_coco_eval': _by_faster_coco_eval,
    'pycocotools': by_pycocotools,
}


def numbered(
    truth: COCO, results: Sequence[dict], categories: Sequence[int]
) -> tuple[dict, list[dict]]:
    """Truth and results of some categories, all numbered from 1.

    Results of equal score count in the order of pycocotools: by image.

    Args:
        truth: completed, see :func:`completed_truth`.
        results: of images of the truth.
        categories: ids; their order becomes that of the classes.
    """
    try:
        order = sorted(truth.imgs)
    except TypeError:
        order = sorted(truth.imgs, key=str)
    images = {key: i for i, key in enumerate(order, 1)}
    classes = {key: i for i, key in enumerate(categories, 1)}

    def renumbered(row: dict, fields: Sequence[str]) -> dict:
        return {
            'image_id': images[row['image_id']],
            'category_id': classes[row['category_id']],
            **{key: row[key] for key in fields if key in row},
        }

    fields = ('bbox', 'segmentation', 'area', 'iscrowd')
    objects = [
        {'id': i, **renumbered(row, fields)}
        for i, row in enumerate(
            (
                row
                for row in truth.dataset['annotations']
                if row['category_id'] in classes
            ),
            1,
        )
    ]
    content = {
        'images': [
            {'id': i, **{k: truth.imgs[key][k] for k in ('height', 'width')}}
            for key, i in images.items()
        ],
        'annotations': objects,
        'categories': [{'id': i, 'name': str(i)} for i in classes.values()],
    }
    return content, [
        renumbered(row, ('score', 'bbox', 'segmentation'))
        for row in results
        if row['category_id'] in classes
    ]
