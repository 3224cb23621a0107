#!/usr/bin/env bash
# vernier 0.5.4, pycocotools 2.0.11.
# Expected: vernier.COCOeval takes the two COCO objects that
#   pycocotools.cocoeval.COCOeval takes ("same constructor", its README).
# Seen: with masks as results, as most models write them (RLE, no bbox),
#   pycocotools' loadRes adds the box as an array, and evaluate() raises
#   ValueError: detections[0].bbox: expected a 4-element sequence. With a list
#   in its place AP is 1, as pycocotools says.
# Fails if the array is taken, or the list no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q vernier==0.5.4 pycocotools==2.0.11
cd "$folder"
venv/bin/python - <<'PY'
import numpy as np
import vernier
from pycocotools import mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

pixels = np.zeros((64, 64), np.uint8, order='F')
pixels[10:40, 10:40] = 1
rle = mask.encode(pixels)
rle['counts'] = rle['counts'].decode()
truth = COCO()
truth.dataset = {
    'images': [{'id': 1, 'width': 64, 'height': 64}],
    'categories': [{'id': 1, 'name': 'thing'}],
    'annotations': [{
        'id': 1, 'image_id': 1, 'category_id': 1, 'iscrowd': 0,
        'area': 900.0, 'bbox': [10.0, 10.0, 30.0, 30.0],
        'segmentation': rle,
    }],
}
truth.createIndex()


def average_precision(evaluator, boxes_as_lists):
    found = truth.loadRes([{
        'image_id': 1, 'category_id': 1, 'score': 0.9,
        'segmentation': dict(rle),
    }])
    for row in found.dataset['annotations']:
        if boxes_as_lists:
            row['bbox'] = row['bbox'].tolist()
    run = evaluator(truth, found, 'segm')
    run.evaluate()
    run.accumulate()
    run.summarize()
    return float(run.stats[0])


try:
    average_precision(vernier.COCOeval, False)
except ValueError as error:
    assert 'bbox' in str(error), error
else:
    raise AssertionError('vernier takes what loadRes gives')
assert abs(average_precision(vernier.COCOeval, True) - 1) < 1e-9
assert abs(average_precision(COCOeval, False) - 1) < 1e-9
print('as stated: vernier refuses the boxes that loadRes makes of masks')
PY
