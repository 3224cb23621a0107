"""Draws what an exported model finds in an image.

Needs numpy, onnxruntime and Pillow alone: python onnx_predict.py MODEL.onnx
IMAGE OUT.png
"""

import argparse
import colorsys
import json
import math

import numpy as np
import onnxruntime
from PIL import Image, ImageDraw

OFFSET = 1000


def target_size(height, width, resize):
    """Height and width after the resize that the metadata describe."""
    if resize is None:
        return height, width
    if 'fixed' in resize:
        return tuple(resize['fixed'])
    if 'factor' in resize:
        factor = resize['factor']
    elif 'fit' in resize:
        factor = min(resize['fit'][0] / height, resize['fit'][1] / width)
    elif 'scale' in resize:
        low, high = sorted(resize['scale'])
        factor = min(high / max(height, width), low / min(height, width))
    else:
        factor = min(
            resize['shortest'] / min(height, width),
            resize['longest'] / max(height, width),
        )
    return int(height * factor + 0.5), int(width * factor + 0.5)


def bilinear(image, height, width, rounded):
    """Resizes (h, w, 3) between pixel centres, without antialiasing."""
    sides = []
    for old, new in zip(image.shape[:2], (height, width), strict=True):
        places = (np.arange(new) + 0.5) * old / new - 0.5
        first = np.floor(places).astype(int)
        share = (places - first).astype(np.float32)
        low, high = first.clip(0, old - 1), (first + 1).clip(0, old - 1)
        sides.append((low, high, share))
    (top, bottom, y), (left, right, x) = sides
    image = image.astype(np.float32)
    y, x = y[:, None, None], x[None, :, None]
    rows = image[top] * (1 - y) + image[bottom] * y
    resized = rows[:, left] * (1 - x) + rows[:, right] * x
    return np.round(resized) if rounded else resized


def prepare(image, steps):
    """The network's input (1, 3, H, W) and the image's size inside it."""
    height, width = target_size(*image.shape[:2], steps['resize'])
    if (height, width) != image.shape[:2]:
        image = bilinear(image, height, width, steps['rounded'])
    if steps['channels'] == 'bgr':
        image = image[..., ::-1]
    image = (image - np.float32(steps['mean'])) / np.float32(steps['std'])
    divisor = max(steps['divisor'], 1)
    full = steps['size'] or [
        math.ceil(side / divisor) * divisor for side in (height, width)
    ]
    padded = np.full((*full, 3), steps['pad_value'], np.float32)
    padded[:height, :width] = image
    return padded.transpose(2, 0, 1)[None].copy(), (height, width)


def run(path, image):
    """Outputs of the model for RGB pixels (h, w, 3), and its metadata."""
    session = onnxruntime.InferenceSession(
        path, providers=['CPUExecutionProvider']
    )
    kept = session.get_modelmeta().custom_metadata_map
    if 'mmseg_plugin' not in kept:
        raise SystemExit(f'error: {path} was not written by export')
    meta = json.loads(kept['mmseg_plugin'])
    feed = {'image': image}
    inside = image.shape[:2]
    if not meta['pixels']:
        feed['image'], inside = prepare(image, meta['preprocessing'])
    elif meta['results'] == 'input':
        inside = target_size(*inside, meta['preprocessing']['resize'])
    if 'sizes' in [item.name for item in session.get_inputs()]:
        feed['sizes'] = np.array([*inside, *image.shape[:2]], np.int64)
    names = [item.name for item in session.get_outputs()]
    values = session.run(None, feed)
    found = dict(zip(names, values, strict=True))
    pixels = found.pop('masks') if 'windows' in found else None
    found = {name: value[0] for name, value in found.items()}
    if pixels is not None:
        size = image.shape[:2]
        if meta['results'] == 'input':
            size = feed['image'].shape[-2:] if not meta['pixels'] else inside
        found['masks'] = whole_masks(pixels, found['windows'], size)
    return found, meta, inside


def whole_masks(pixels, windows, size):
    """Masks (n, h, w) of their pixels inside windows (n, 4)."""
    masks = np.zeros((len(windows), *size), np.uint8)
    begin = 0
    for mask, (x1, y1, x2, y2) in zip(masks, windows, strict=True):
        end = begin + (y2 - y1) * (x2 - x1)
        mask[y1:y2, x1:x2] = pixels[begin:end].reshape(y2 - y1, x2 - x1)
        begin = end
    return masks


def outline(box, size):
    """Mask (h, w) of the border, two pixels wide, of a box."""
    x1, y1, x2, y2 = (int(side) for side in np.round(box))
    mask = np.zeros(size, bool)
    mask[max(y1, 0) : y2, max(x1, 0) : x2] = True
    mask[max(y1 + 2, 0) : y2 - 2, max(x1 + 2, 0) : x2 - 2] = False
    return mask


def segments(found, meta, threshold, size):
    """(label, mask, score) of the richest result that there is."""
    if 'panoptic' in found or 'semantic' in found:
        ids = found.get('panoptic', found.get('semantic'))
        return [
            (value % OFFSET, ids == value, None)
            for value in np.unique(ids).tolist()
            if value % OFFSET < len(meta['classes'])
        ]
    rows = np.flatnonzero(
        (found['labels'] >= 0) & (found['scores'] >= threshold)
    )
    return [
        (
            int(found['labels'][i]),
            found['masks'][i].astype(bool)
            if 'masks' in found
            else outline(found['boxes'][i], size),
            float(found['scores'][i]),
        )
        for i in rows
    ]


def draw(image, parts, classes):
    """The image with masks in colours and names."""
    canvas = image.astype(np.float32)
    places = []
    for number, (label, mask, score) in enumerate(parts):
        if not mask.any():
            continue
        hue = number * 0.618 % 1
        colour = np.array(colorsys.hsv_to_rgb(hue, 0.8, 1.0)) * 255
        canvas[mask] = 0.5 * canvas[mask] + 0.5 * colour
        rows, columns = np.nonzero(mask)
        name = classes[label]
        if score is not None:
            name += f' {score:.2f}'
        places.append((columns.mean(), rows.mean(), name))
    picture = Image.fromarray(canvas.astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for x, y, name in places:
        pen.text((x, y), name, anchor='mm', fill='white', stroke_width=1)
    return picture


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('model')
    parser.add_argument('image')
    parser.add_argument('out')
    parser.add_argument('--score-thr', type=float, default=0.3)
    args = parser.parse_args()
    with Image.open(args.image) as file:
        image = np.asarray(file.convert('RGB'))
    found, meta, inside = run(args.model, image)
    if meta['results'] == 'input':
        # Results are those of the network's input: so is the picture.
        height, width = inside
        image = bilinear(image, height, width, True).astype(np.uint8)
        for name in ('masks', 'panoptic', 'semantic'):
            if name in found:
                found[name] = found[name][..., :height, :width]
    parts = segments(found, meta, args.score_thr, image.shape[:2])
    draw(image, parts, meta['classes']).save(args.out)
    print(f'{len(parts)} segments: {args.out}')


if __name__ == '__main__':
    main()
