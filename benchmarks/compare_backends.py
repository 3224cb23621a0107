"""Where the libraries that count COCO's AP depart from pycocotools.

Each gets drawn results as its own documentation says, and through
`mmseg_plugin`. A cell is the largest difference from pycocotools in the 12
numbers of COCO's summary and in the AP of each class (`=` up to 1e-12), or
the error. `maxDets` is [1, 10, 100] unless said.
"""

import contextlib
import copy
import functools
import io
from collections.abc import Callable
from importlib import metadata
from typing import Any

import numpy as np
from coco_results import SIZE, Setting, draw
from pycocotools import mask as mask_utils
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmseg_plugin.datasets.annotations import run_lengths
from mmseg_plugin.evaluation.average_precision import (
    curves,
    judged_truth,
    load_results,
)
from mmseg_plugin.evaluation.coco_backends import COMPARED

MAX_DETS = [1, 10, 100]
SMALL = Setting(images=12, results=60, classes=6, steps=200)


def with_counts(form: Callable) -> Callable[[dict, list], None]:
    def change(_content: dict, results: list[dict]) -> None:
        for row in results:
            rle = row['segmentation']
            row['segmentation'] = {**rle, 'counts': form(rle['counts'])}

    return change


def with_ids(of: Callable, *places: str) -> Callable[[dict, list], None]:
    """Changes ids of annotations, images or categories."""

    def change(content: dict, results: list[dict]) -> None:
        if 'annotations' in places:
            for row in content['annotations']:
                row['id'] = of(row['id'])
        for place, key in (
            ('images', 'image_id'),
            ('categories', 'category_id'),
        ):
            if place not in places:
                continue
            for row in content[place]:
                row['id'] = of(row['id'])
            for row in content['annotations'] + results:
                row[key] = of(row[key])

    return change


def without(field: str) -> Callable[[dict, list], None]:
    def change(content: dict, _results: list[dict]) -> None:
        for row in content['annotations']:
            # Of crowds only the mask would be left to tell.
            row['iscrowd'] = 0
        for row in content['annotations']:
            row.pop(field, None)

    return change


def crowds(content: dict, _results: list[dict]) -> None:
    for row in content['annotations'][::3]:
        row['iscrowd'] = 1
        rle = mask_utils.frPyObjects(row['segmentation'], *SIZE)
        if isinstance(rle, list):
            rle = mask_utils.merge(rle)
            row['segmentation'] = {
                'size': list(SIZE),
                'counts': rle['counts'].decode(),
            }


def holes(content: dict, results: list[dict]) -> None:
    """Images without objects, without results, without both."""
    content['annotations'] = [
        row for row in content['annotations'] if row['image_id'] % 4 > 1
    ]
    results[:] = [row for row in results if row['image_id'] % 4 % 3]


def absent(content: dict, _results: list[dict]) -> None:
    content['annotations'] = [
        row for row in content['annotations'] if row['category_id'] > 2
    ]


def nothing(_content: dict, _results: list[dict]) -> None:
    pass


CASES: dict[str, tuple] = {
    'plain': (SMALL, nothing),
    'equal scores': (SMALL._replace(steps=4), nothing),
    'a third are crowds': (SMALL, crowds),
    'empty images': (SMALL, holes),
    'classes without objects': (SMALL, absent),
    '300 results an image': (Setting(4, 300, 2), nothing),
    '1000 results an image': (Setting(2, 1000, 1, 40), nothing),
    'maxDets [10, 300, 1000]': (
        Setting(2, 1000, 1, 40),
        nothing,
        [10, 300, 1000],
    ),
    'no iscrowd': (SMALL, without('iscrowd')),
    'no area': (SMALL, without('area')),
    'no boxes in the truth': (SMALL, without('bbox')),
    'ids of objects from 0': (
        SMALL,
        with_ids(lambda i: i - 1, 'annotations'),
    ),
    'ids below 0': (SMALL, with_ids(lambda i: -i, 'annotations')),
    'ids of images from 0': (SMALL, with_ids(lambda i: i - 1, 'images')),
    'ids of classes from 0': (SMALL, with_ids(lambda i: i - 1, 'categories')),
    'ids of images from 2**53': (
        SMALL,
        with_ids(lambda i: i + 2**53, 'images'),
    ),
    'ids of images as text': (SMALL, with_ids(str, 'images')),
    'RLE as bytes': (SMALL, with_counts(str.encode)),
    'RLE as lists': (
        SMALL,
        with_counts(lambda text: run_lengths(text, '').tolist()),
    ),
}


def by_class(precision: np.ndarray) -> list[float]:
    """AP of each class, at the largest number of detections."""
    found = precision[:, :, :, 0, -1]
    return [
        float(row[row > -1].mean()) if (row > -1).any() else -1.0
        for row in np.moveaxis(found, 2, 0)
    ]


def numbers(judge: Any, kind: str, max_dets: list[int]) -> np.ndarray:
    judge.params.maxDets = list(max_dets)
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    classes = by_class(np.asarray(judge.eval['precision']))
    return np.array([*list(judge.stats)[:12], *classes])


def alone(
    backend: str, content: dict, results: list, kind: str, max_dets: list
) -> np.ndarray:
    """The numbers of a library, used as its documentation says."""
    if backend == 'hotcoco':
        import hotcoco

        truth = hotcoco.COCO(content)
        judge = hotcoco.COCOeval(truth, truth.load_res(results), kind)
        return numbers(judge, kind, max_dets)
    if backend == 'faster_coco_eval':
        import faster_coco_eval as fast

        truth = fast.COCO(content)
        judge = fast.COCOeval_faster(truth, truth.loadRes(results), kind)
        return numbers(judge, kind, max_dets)
    evaluator: Any = COCOeval
    if backend == 'vernier':
        import vernier

        evaluator = vernier.COCOeval
    truth = COCO()
    truth.dataset = content
    truth.createIndex()
    judge = evaluator(truth, truth.loadRes(results), kind)
    return numbers(judge, kind, max_dets)


def summed_up(precision: np.ndarray, recall: np.ndarray) -> np.ndarray:
    """COCO's 12 numbers at the largest number of detections, and classes."""

    def mean(values: np.ndarray) -> float:
        values = values[values > -1]
        return float(values.mean()) if values.size else -1.0

    last = precision[..., -1]
    areas = [mean(last[..., area]) for area in range(4)]
    ious = [mean(last[place, ..., 0]) for place in (0, 5)]
    found = [mean(recall[:, :, 0, i]) for i in range(recall.shape[-1])]
    sizes = [mean(recall[:, :, area, -1]) for area in (1, 2, 3)]
    return np.array(
        [areas[0], *ious, *areas[1:], *found, *sizes, *by_class(precision)]
    )


def through_us(
    backend: str, content: dict, results: list, kind: str, max_dets: list
) -> np.ndarray:
    names = [c['name'] for c in content['categories']]
    truth, ids = judged_truth(content, 'truth', names, [kind])
    found = load_results(truth, results, kind)
    done = curves(truth, found, kind, ids, max_dets, backend=backend)
    return summed_up(done['precision'], done['recall'])


def cell(call: Callable[[], np.ndarray], expected: np.ndarray) -> str:
    """The largest difference, or the error."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            got = call()
    except Exception as error:  # noqa: BLE001
        return type(error).__name__
    if got.shape != expected.shape:
        return 'other shape'
    off = float(np.abs(got - expected).max())
    return '=' if off <= 1e-12 else f'{off:.3f}'


def reference(
    content: dict, results: list, kind: str, max_dets: list
) -> np.ndarray:
    """pycocotools over clean input: ids from 1, whole fields, text."""
    with contextlib.redirect_stdout(io.StringIO()):
        return through_us('pycocotools', content, results, kind, max_dets)


def compare(kind: str, name: str, backends: list[str]) -> list[str]:
    """Cells of one case: alone and through us for each backend."""
    setting, change, *rest = CASES[name]
    max_dets = rest[0] if rest else MAX_DETS
    content, results = draw(setting, seed=3)
    for row in results:
        row.pop('segmentation' if kind == 'bbox' else 'bbox')
    change(content, results)
    expected = reference(
        copy.deepcopy(content), copy.deepcopy(results), kind, max_dets
    )
    cells = []
    for backend in backends:
        for way in (alone, through_us):
            args = copy.deepcopy((content, results))
            call = functools.partial(way, backend, *args, kind, max_dets)
            cells.append(cell(call, expected))
    return cells


def main() -> None:
    backends = []
    for name in reversed(COMPARED):
        with contextlib.suppress(metadata.PackageNotFoundError):
            print(f'{name} {metadata.version(name)}')
            backends.append(name)
    for kind in ('segm', 'bbox'):
        heads = [h for b in backends for h in (b, f'{b}, through us')]
        print(f'\n| {kind} | {" | ".join(heads)} |')
        print('|---' * (len(heads) + 1) + '|')
        names = [n for n in CASES if kind == 'segm' or 'RLE' not in n]
        for name in names:
            cells = compare(kind, name, backends)
            print(f'| {name} | {" | ".join(cells)} |', flush=True)


if __name__ == '__main__':
    main()
