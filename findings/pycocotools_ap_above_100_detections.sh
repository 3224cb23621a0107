#!/usr/bin/env bash
# pycocotools 2.0.11, faster-coco-eval 1.8.0.
# Expected: with maxDets [100, 300, 1000] the first number, AP, is taken at
#   the same limit by both, since the second says that it stands in for the
#   first.
# Seen: 150 objects, all found: pycocotools takes AP at 100 detections
#   (0.66), faster-coco-eval at the last limit (1.0); AP50 is 1.0 in both.
#   With no limit of 100 in the list pycocotools gives -1.
# Fails if one of the numbers changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pycocotools==2.0.11 \
    faster-coco-eval==1.8.0 numpy
cd "$folder"
venv/bin/python - <<'PY'
import json
from pathlib import Path

boxes = [
    [20.0 * (i % 15), 20.0 * (i // 15), 12.0, 12.0] for i in range(150)
]
Path('truth.json').write_text(json.dumps({
    'info': {},
    'images': [{'id': 1, 'width': 320, 'height': 320, 'file_name': 'a.png'}],
    'categories': [{'id': 1, 'name': 'thing'}],
    'annotations': [
        {
            'id': i + 1, 'image_id': 1, 'category_id': 1, 'bbox': box,
            'area': 144.0, 'iscrowd': 0,
        }
        for i, box in enumerate(boxes)
    ],
}))
results = [
    {'image_id': 1, 'category_id': 1, 'bbox': box, 'score': 1 - i / 1000}
    for i, box in enumerate(boxes)
]


def stats(library, evaluator, limits):
    truth = library('truth.json')
    run = evaluator(truth, truth.loadRes(list(results)), 'bbox')
    run.params.maxDets = limits
    run.evaluate()
    run.accumulate()
    run.summarize()
    return [float(x) for x in run.stats[:2]]


from faster_coco_eval import COCO as FastCOCO
from faster_coco_eval import COCOeval_faster
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

slow = stats(COCO, COCOeval, [100, 300, 1000])
fast = stats(FastCOCO, COCOeval_faster, [100, 300, 1000])
none = stats(COCO, COCOeval, [300, 500, 1000])
print(slow, fast, none)
assert 0.6 < slow[0] < 0.7 and slow[1] == 1.0, slow
assert fast == [1.0, 1.0], fast
assert none[0] == -1, none
print('as stated: AP is taken at 100 detections by one, at 1000 by the other')
PY
