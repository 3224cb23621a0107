"""The smallest data in which no check finds anything."""

import copy

import numpy as np
from PIL import Image
from pycocotools import mask as coder

from mmseg_plugin.checks import Snapshot

SIZE = 32


def picture(path, seed, size=(SIZE, SIZE), mode='RGB', **kwargs):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3))
    Image.fromarray(pixels.astype('uint8')).convert(mode).save(path, **kwargs)


def square(x, y, side):
    return [x, y, x + side, y, x + side, y + side, x, y + side, x, y + 1]


def objects():
    """Two images, two classes, ten objects of each."""
    rows = []
    for number in range(20):
        x, y = 1.0 + number % 5, 2.0 + number // 5
        rows.append(
            {
                'id': number + 1,
                'image_id': 7 + number % 2,
                'category_id': 4 if number % 3 else 5,
                'bbox': [x, y, 8.0, 8.0],
                'area': 64.0,
                'iscrowd': 0,
                # One corner is cut, so that no mask is a box.
                'segmentation': [[x, y, x + 8, y, x + 8, y + 8, x, y + 7]],
            }
        )
    rows[0]['category_id'] = 5
    rows += copy.deepcopy(rows[:10])
    for number, row in enumerate(rows[20:], 21):
        row['id'] = number
        row['bbox'][0] += 9
        part = row['segmentation'][0]
        row['segmentation'][0] = [
            v + 9 * (i % 2 == 0) for i, v in enumerate(part)
        ]
    return rows


def clean(folder):
    """A snapshot in which nothing is found."""
    folder.mkdir(parents=True, exist_ok=True)
    images = []
    for number, name in enumerate(('a.png', 'b.png')):
        picture(folder / name, number)
        images.append(
            {
                'id': 7 + number,
                'file_name': name,
                'width': SIZE,
                'height': SIZE,
            }
        )
    data = {
        'images': images,
        'annotations': objects(),
        'categories': [
            {'id': 4, 'name': 'cat', 'supercategory': 'animal'},
            {'id': 5, 'name': 'dog', 'supercategory': 'animal'},
        ],
    }
    return Snapshot(folder / 'x.json', data, image_dir=folder)


def other(folder, seed=10):
    """A training split that has nothing in common with it but classes."""
    snapshot = clean(folder / 'train')
    for number, name in enumerate(('a.png', 'b.png')):
        picture(folder / 'train' / name, seed + number)
    return snapshot


def panoptic(folder):
    """One map with a thing, a piece of stuff and no other pixel."""
    picture(folder / 'a.png', 0)
    ids = np.ones((SIZE, SIZE), np.uint8)
    ids[:8] = 2
    save_map(folder, ids)
    segments = [
        {'id': 1, 'category_id': 1, 'area': SIZE * 24, 'bbox': [0, 8, 32, 24]},
        {'id': 2, 'category_id': 2, 'area': SIZE * 8, 'bbox': [0, 0, 32, 8]},
    ]
    data = {
        'images': [
            {'id': 1, 'file_name': 'a.png', 'width': SIZE, 'height': SIZE}
        ],
        'annotations': [
            {'image_id': 1, 'file_name': 'a.png', 'segments_info': segments}
        ],
        'categories': [
            {'id': 1, 'name': 'cat', 'isthing': 1},
            {'id': 2, 'name': 'sky', 'isthing': 0},
        ],
    }
    return Snapshot(
        folder / 'p.json', data, 'panoptic', folder, folder / 'maps'
    )


def save_map(folder, ids, grey=False):
    (folder / 'maps').mkdir(exist_ok=True)
    colours = np.stack([ids, ids * 0, ids * 0], -1).astype(np.uint8)
    image = Image.fromarray(ids.astype(np.uint8) if grey else colours)
    image.save(folder / 'maps' / 'a.png')


def semantic(folder):
    picture(folder / 'a.png', 0)
    labels = np.zeros((SIZE, SIZE), np.uint8)
    labels[:8] = 1
    save_map(folder, labels, grey=True)
    images = [{'file_name': 'a.png', 'seg_file_name': 'a.png'}]
    return Snapshot(
        folder, {'images': images}, 'semantic', folder, folder / 'maps'
    )


def rle(value, size=(SIZE, SIZE)):
    mask = np.zeros(size, np.uint8, order='F')
    mask[4:8, 4:8] = value
    found = coder.encode(mask)
    return {'size': list(size), 'counts': found['counts'].decode()}
