"""Reading a large file of annotations, and what is left of it in memory."""

import json
import subprocess
import sys
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from harness import Arms, bench
from input_data import outline
from mmdet.datasets import CocoDataset
from mmengine.registry import DefaultScope

DATA_SETS = ('mmseg_plugin.CocoInstanceDataset', 'mmdet.CocoDataset')
# Of which seven objects each, of COCO's mean, take 40 million bytes.
IMAGES = 9700


@cache
def annotation_file() -> Path:
    """A COCO file of about 40 million bytes."""
    rng = np.random.default_rng(0)
    images: list[dict] = []
    annotations: list[dict] = []
    for image in range(1, IMAGES + 1):
        name = f'{image:012d}.jpg'
        images.append(
            {
                'id': image,
                'file_name': name,
                'height': 480,
                'width': 640,
                'coco_url': f'http://images.cocodataset.org/train2017/{name}',
            }
        )
        for _ in range(7):
            points = outline(rng, 100, int(rng.integers(10, 45)))
            low, high = points.min(0), points.max(0)
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': image,
                    'category_id': int(rng.integers(1, 81)),
                    'iscrowd': 0,
                    'area': float(np.prod(high - low)),
                    'bbox': [*low.tolist(), *(high - low).round(2).tolist()],
                    'segmentation': [points.reshape(-1).tolist()],
                }
            )
    classes = CocoDataset.METAINFO['classes']
    categories = [{'id': i, 'name': name} for i, name in enumerate(classes, 1)]
    path = Path(mkdtemp()) / 'annotations.json'
    content = {
        'images': images,
        'annotations': annotations,
        'categories': categories,
    }
    path.write_text(json.dumps(content))
    return path


def read(kind: str, path: str) -> CocoDataset:
    """The data set of a file, serialised for workers."""
    from mmdet.registry import DATASETS

    with DefaultScope.overwrite_default_scope('mmdet'):
        return DATASETS.build(
            {
                'type': kind,
                'ann_file': path,
                'data_prefix': {'img': ''},
                'filter_cfg': {'filter_empty_gt': True, 'min_size': 32},
                'pipeline': [],
            }
        )


def _resident() -> int:
    pages = Path('/proc/self/statm').read_text().split()[1]
    return int(pages) * 4096


def left(kind: str, path: str) -> float:
    """GB that a data set leaves in a fresh process once it is read."""
    import mmseg_plugin.datasets  # noqa: F401

    before = _resident()
    kept = read(kind, path)
    assert len(kept) == IMAGES
    return (_resident() - before) / 1e9


def startup_time() -> Arms:
    path = str(annotation_file())
    ours, peer = (partial(read, kind, path) for kind in DATA_SETS)
    assert ours()[5] == peer()[5]
    return Arms(ours, peer)


def startup_memory() -> Arms:
    """Each data set in a process of its own, as workers inherit it."""

    def run(kind: str) -> float:
        command = [sys.executable, __file__, kind, str(annotation_file())]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, check=True
        )
        return float(done.stdout.split()[-1])

    return Arms(*(partial(run, kind) for kind in DATA_SETS))


bench('input_startup_time', 'mmdet data set', 1)(startup_time)
bench('input_startup_memory', 'mmdet data set', 2, 'GB')(startup_memory)

if __name__ == '__main__':
    print(left(*sys.argv[1:]))
