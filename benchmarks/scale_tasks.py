"""What is measured on large annotation files, each task in its own process.

python benchmarks/scale_tasks.py TASK FILE
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Samples that are read by each of two workers.
WORKERS, SAMPLES = 2, 200


def load_json(path: str) -> str:
    """The file as Python has it."""
    json.loads(Path(path).read_bytes())
    return ''


def load_pycocotools(path: str) -> str:
    """The file as pycocotools indexes it."""
    from pycocotools.coco import COCO

    COCO(path)
    return ''


def check(path: str) -> str:
    """All checks but those of images."""
    from mmseg_plugin.checks import Options, run_checks
    from mmseg_plugin.checks.reading import read_target

    found = [
        len(run_checks(snapshot, Options()))
        for snapshot in read_target(path, False)[1]
    ]
    return f'{sum(found)} findings'


def _start(path: str, kind: str) -> str:
    """A data set as training builds it, and first samples by two workers."""
    from mmengine.registry import DATASETS, DefaultScope
    from torch.utils.data import DataLoader

    import mmseg_plugin.registry  # noqa: F401

    names = [f'class {i}' for i in range(1, 81)]
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(
            {
                'type': kind,
                'ann_file': path,
                'data_prefix': {'img': 'images/'},
                'metainfo': {'classes': names},
                'pipeline': [],
            }
        )
    before = private_megabytes()
    loader: Any = DataLoader(
        _touched(dataset), None, num_workers=WORKERS, shuffle=True
    )
    samples = (most for _, most in zip(range(SAMPLES), loader, strict=False))
    each = max(samples)
    return (
        f'{len(dataset)} images, {before:.0f} MB of its own; a worker '
        f'{each:.0f} MB more'
    )


def _touched(dataset: Any) -> Any:
    """Gives what the memory of the worker is that reads a sample."""
    from torch.utils.data import Dataset

    class Touched(Dataset):
        def __len__(self) -> int:
            return len(dataset)

        def __getitem__(self, index: int) -> float:
            dataset.get_data_info(index)
            return private_megabytes()

    return Touched()


def private_megabytes() -> float:
    """Memory of this process that it shares with no other."""
    text = Path('/proc/self/smaps_rollup').read_text()
    sizes = (
        int(line.split()[1])
        for line in text.splitlines()
        if line.startswith('Private')
    )
    return sum(sizes) / 1024


def start(path: str) -> str:
    """The start of a training of ours."""
    return _start(path, 'mmseg_plugin.CocoInstanceDataset')


def start_mmdet(path: str) -> str:
    """With mmdet's data set."""
    return _start(path, 'mmdet.CocoDataset')


def _results(path: str) -> Iterator[dict]:
    """The objects of each image, found with scores of all sizes."""
    import numpy as np
    from pycocotools import mask as mask_utils

    content = json.loads(Path(path).read_bytes())
    sizes = {i['id']: (i['height'], i['width']) for i in content['images']}
    rows: dict[int, list[dict]] = {number: [] for number in sizes}
    for row in content['annotations']:
        rows[row['image_id']].append(row)
    for number, found in rows.items():
        height, width = sizes[number]
        masks = [
            mask_utils.merge(
                mask_utils.frPyObjects(row['segmentation'], height, width)
            )
            for row in found
            if not row['iscrowd']
        ]
        boxes = [row['bbox'] for row in found if not row['iscrowd']]
        corners = np.array(boxes, np.float32).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        labels = [r['category_id'] - 1 for r in found if not r['iscrowd']]
        scores = np.modf(np.arange(len(masks)) * 0.618 + 0.1)[0]
        yield {
            'img_id': number,
            'bboxes': corners,
            'scores': scores.astype(np.float32),
            'labels': np.array(labels, np.int64),
            'masks': masks,
        }


def _evaluate(path: str, backend: str) -> str:
    """AP of boxes and masks of as many results as there are objects."""
    import mmseg_plugin.registry  # noqa: F401
    from mmseg_plugin.evaluation.coco_backends import chosen
    from mmseg_plugin.registry import METRICS

    metric = METRICS.build(
        {
            'type': 'mmseg_plugin.CocoInstanceMetric',
            'ann_file': path,
            'metric': ['bbox', 'segm'],
            'backend': backend,
        }
    )
    names = tuple(f'class {i}' for i in range(1, 81))
    metric.dataset_meta = {'classes': names}
    metric.results = [({}, found) for found in _results(path)]
    made = _seconds()
    scores = metric.evaluate(len(metric.results))
    return (
        f'{chosen(backend)}, segm_mAP {scores["coco/segm_mAP"]:.3f}, of it '
        f'{_seconds() - made:.1f} s to evaluate'
    )


def evaluation(path: str) -> str:
    """By the fastest backend that is here."""
    return _evaluate(path, 'auto')


def evaluation_by_pycocotools(path: str) -> str:
    """By the one that is always here."""
    return _evaluate(path, 'pycocotools')


def _seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


TASKS = {
    'json': load_json,
    'pycocotools': load_pycocotools,
    'check': check,
    'start': start,
    'start of mmdet': start_mmdet,
    'evaluation': evaluation,
    'evaluation by pycocotools': evaluation_by_pycocotools,
}


def main() -> None:
    task, path = sys.argv[1:]
    words = TASKS[task](path)
    both = [resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN]
    used = [resource.getrusage(who) for who in both]
    seconds = sum(one.ru_utime + one.ru_stime for one in used)
    print(f'\n{seconds} {used[0].ru_maxrss} {words}')


if __name__ == '__main__':
    main()
