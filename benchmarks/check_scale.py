"""Large annotation files: loaded, checked, trained on and evaluated.

Writes 118,287 images with 860,001 objects (or a share of them, or of those)
of COCO train2017's shape into a folder, then runs each task by itself and
prints CPU time and peak memory: ``json.load``, ``pycocotools.coco.COCO``, the
checks, the start of a training with two workers, evaluation.

    python -m benchmarks.check_scale FOLDER [--share 1.1628] [--tasks check]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

IMAGES, OBJECTS, CLASSES = 118_287, 860_001, 80
# Of a polygon; a few objects have several, one in ninety is a crowd.
POINTS = 24
# Of scale_tasks.py.
TASKS = [
    *('json', 'pycocotools', 'check', 'start', 'start of mmdet'),
    *('evaluation', 'evaluation by pycocotools'),
]
PARTS = (0.88, 0.08, 0.04)
CROWD = 0.012


def annotation(rng: np.random.Generator, number: int, image: int) -> dict:
    """An object that nothing is wrong with."""
    x, y = rng.uniform(0, 400), rng.uniform(0, 300)
    width, height = rng.uniform(10, 200), rng.uniform(10, 150)
    crowd = rng.random() < CROWD
    if crowd:
        runs = [300 * 480, 20, 460, 20, 640 * 480 - 300 * 480 - 500]
        shape: object = {'size': [480, 640], 'counts': runs}
        box, area = [300.0, 0.0, 2.0, 20.0], 40.0
    else:
        turn = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
        rows = [
            x + width / 2 * (1 + np.cos(turn)),
            y + height / 2 * (1 + np.sin(turn)),
        ]
        part = np.stack(rows, 1).round(2).reshape(-1).tolist()
        shape = [part] * (1 + int(rng.choice(3, p=PARTS)))
        box = [round(v, 2) for v in (x, y, width, height)]
        area = round(np.pi * width * height / 4, 3)
    return {
        'segmentation': shape,
        'area': area,
        'iscrowd': int(crowd),
        'image_id': image,
        'bbox': box,
        'category_id': 1 + number % CLASSES,
        'id': number,
    }


def write_file(path: Path, share: float) -> None:
    """Writes the file piece by piece."""
    images, objects = int(IMAGES * share), int(OBJECTS * share)
    rng = np.random.default_rng(0)
    head = [
        {
            'id': number,
            'file_name': f'{number:012d}.jpg',
            'width': 640,
            'height': 480,
        }
        for number in range(1, images + 1)
    ]
    names = [{'id': i, 'name': f'class {i}'} for i in range(1, CLASSES + 1)]

    def rows() -> Iterator[str]:
        for number in range(1, objects + 1):
            image = int(rng.integers(1, images + 1))
            yield json.dumps(annotation(rng, number, image))

    with path.open('w') as file:
        file.write(f'{{"images": {json.dumps(head)}, ')
        file.write(f'"categories": {json.dumps(names)}, "annotations": [')
        for place, row in enumerate(rows()):
            file.write(f', {row}' if place else row)
        file.write(']}')


def measure(task: str, path: Path) -> tuple[float, float, str]:
    """CPU seconds, peak GiB and words of one task in its own process."""
    tasks = Path(__file__).with_name('scale_tasks.py')
    command = [sys.executable, str(tasks), task, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    last = done.stdout.splitlines()[-1]
    seconds, peak, words = (*last.split(' ', 2), '')[:3]
    return float(seconds), int(peak) / 2**20, words


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--share', type=float, default=1.0)
    parser.add_argument('--tasks', nargs='+', default=TASKS)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    path = args.folder / f'instances_train_{args.share:g}.json'
    if not path.exists():
        write_file(path, args.share)
    print(f'{path.stat().st_size / 2**20:.0f} MiB', flush=True)
    for task in args.tasks:
        seconds, peak, words = measure(task, path)
        print(
            f'{task:14} {seconds:6.1f} s CPU  {peak:5.2f} GiB  {words}',
            flush=True,
        )


if __name__ == '__main__':
    main()
