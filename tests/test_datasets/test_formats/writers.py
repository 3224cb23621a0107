"""One small data set in several formats, with the same objects."""

import json

import numpy as np
from PIL import Image

CLASSES = ('cat', 'dog')
SIZE = (64, 48)


def shapes(number):
    """Label and polygon of each object of an image."""
    rng = np.random.default_rng(number)
    found = []
    for label in (number % 2, rng.integers(2)):
        x, y = rng.integers(2, 30), rng.integers(2, 20)
        points = [(x, y), (x + 24, y), (x + 24, y + 20), (x + 3, y + 20)]
        found.append((int(label), [tuple(map(float, p)) for p in points]))
    return found


def save_image(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 256, (*SIZE[::-1], 3))
    Image.fromarray(pixels.astype('uint8')).save(path)


def polygon_area(points):
    x, y = points.T
    return float(abs(x @ np.roll(y, -1) - np.roll(x, -1) @ y) / 2)


def coco(numbers, names=None, first_id=1):
    names = names or CLASSES
    images, annotations = [], []
    for number in numbers:
        images.append(
            {
                'id': number,
                'file_name': f'{number}.png',
                'width': SIZE[0],
                'height': SIZE[1],
            }
        )
        for label, polygon in shapes(number):
            points = np.array(polygon)
            x, y = points.min(0).tolist()
            width, height = np.ptp(points, 0).tolist()
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': number,
                    'category_id': label + first_id,
                    'bbox': [x, y, width, height],
                    'area': polygon_area(points),
                    'iscrowd': 0,
                    'segmentation': [[v for p in polygon for v in p]],
                }
            )
    categories = [
        {'id': i, 'name': name} for i, name in enumerate(names, first_id)
    ]
    return {
        'images': images,
        'annotations': annotations,
        'categories': categories,
    }


SPLITS = {'train': range(8), 'val': range(8, 12)}


def write_coco(root):
    (root / 'annotations').mkdir(parents=True)
    for split, numbers in SPLITS.items():
        text = json.dumps(coco(numbers))
        (root / 'annotations' / f'instances_{split}.json').write_text(text)
        for number in numbers:
            save_image(root / split / f'{number}.png', number)


def write_roboflow(root):
    for name, numbers in SPLITS.items():
        split = {'val': 'valid'}.get(name, name)
        for number in numbers:
            save_image(root / split / f'{number}.png', number)
        data = coco(numbers)
        group = {'id': 0, 'name': 'animals', 'supercategory': 'none'}
        for category in data['categories']:
            category['supercategory'] = 'animals'
        data['categories'].insert(0, group)
        text = json.dumps(data)
        (root / split / '_annotations.coco.json').write_text(text)


def write_by_folder(root):
    for split, numbers in SPLITS.items():
        for number in numbers:
            save_image(root / split / 'images' / f'{number}.png', number)
        text = json.dumps(coco(numbers))
        (root / split / 'annotations.json').write_text(text)


def write_two_files(root):
    root.mkdir()
    for split, numbers in SPLITS.items():
        (root / f'{split}.json').write_text(json.dumps(coco(numbers)))
        for number in numbers:
            save_image(root / 'images' / f'{number}.png', number)


def write_yolo(root):
    for split, numbers in SPLITS.items():
        (root / 'labels' / split).mkdir(parents=True)
        for number in numbers:
            save_image(root / 'images' / split / f'{number}.png', number)
            lines = [
                f'{label} '
                + ' '.join(
                    f'{x / SIZE[0]!r} {y / SIZE[1]!r}' for x, y in points
                )
                for label, points in shapes(number)
            ]
            text = root / 'labels' / split / f'{number}.txt'
            text.write_text('\n'.join(lines))
    names = '\n'.join(f'  {i}: {name}' for i, name in enumerate(CLASSES))
    (root / 'data.yaml').write_text(
        f'train: images/train\nval: images/val\nnames:\n{names}\n'
    )


def write_labelme(root):
    """Without a split, which this format has not."""
    for number in range(12):
        save_image(root / f'{number}.png', number)
        data = {
            'imagePath': f'{number}.png',
            'shapes': [
                {
                    'label': CLASSES[label],
                    'points': polygon,
                    'shape_type': 'polygon',
                }
                for label, polygon in shapes(number)
            ],
        }
        (root / f'{number}.json').write_text(json.dumps(data))


WRITERS = {
    'coco': write_coco,
    'roboflow': write_roboflow,
    'two files': write_two_files,
    'yolo': write_yolo,
    'labelme': write_labelme,
}


def write_panoptic(root):
    """Things and stuff, one map an image."""
    for split, numbers in SPLITS.items():
        maps = root / 'annotations' / f'panoptic_{split}'
        maps.mkdir(parents=True)
        data = {'images': [], 'annotations': []}
        for number in numbers:
            save_image(root / split / f'{number}.png', number)
            ids = np.full(SIZE[::-1], 3, np.uint8)
            ids[:20] = 4
            ids[8:30, 4:30] = 1
            ids[12:40, 36:60] = 2
            colours = np.stack([ids, ids * 0, ids * 0], -1)
            Image.fromarray(colours).save(maps / f'{number}.png')
            data['images'].append(coco([number])['images'][0])
            segments = [
                {
                    'id': i,
                    'category_id': i,
                    'iscrowd': 0,
                    'area': int((ids == i).sum()),
                    'bbox': box(ids == i),
                }
                for i in range(1, 5)
            ]
            data['annotations'].append(
                {
                    'image_id': number,
                    'file_name': f'{number}.png',
                    'segments_info': segments,
                }
            )
        data['categories'] = [
            {'id': i, 'name': name, 'isthing': int(i < 3)}
            for i, name in enumerate(('cat', 'dog', 'grass', 'sky'), 1)
        ]
        path = root / 'annotations' / f'panoptic_{split}.json'
        path.write_text(json.dumps(data))


def write_semantic(root, names=True, split=True, palette=False, suffix=''):
    """A class number for each pixel, some void."""
    folders = SPLITS if split else {'': range(12)}
    for folder, numbers in folders.items():
        maps = root / 'masks' / folder
        maps.mkdir(parents=True)
        for number in numbers:
            ending = 'jpg' if number % 2 else 'png'
            save_image(root / 'images' / folder / f'{number}.{ending}', number)
            labels = np.zeros(SIZE[::-1], np.uint8)
            labels[: 10 + number] = 1
            labels[20:, 30:] = 2
            labels[:4] = 255
            image = Image.fromarray(labels)
            if palette:
                image = image.convert('P')
                image.putpalette(list(range(256)) * 3)
            image.save(maps / f'{number}{suffix}.png')
    if names:
        (root / 'classes.txt').write_text('wall\nsky\nroad\n')


def box(mask):
    rows, columns = mask.any(1).nonzero()[0], mask.any(0).nonzero()[0]
    x, y = int(columns[0]), int(rows[0])
    return [x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1]
