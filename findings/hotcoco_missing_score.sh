#!/usr/bin/env bash
# hotcoco 1.3.0, pycocotools 2.0.11.
# Expected: a result without "score" is refused, as the format asks for one
#   (pycocotools raises KeyError: 'score').
# Seen: hotcoco counts it with score 0 and says nothing: AP 1.0.
# Fails if hotcoco starts to refuse it, or pycocotools stops.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q hotcoco==1.3.0 pycocotools==2.0.11 numpy
cd "$folder"
venv/bin/python - <<'PY'
import json
from pathlib import Path

box = [10.0, 10.0, 20.0, 20.0]
Path('truth.json').write_text(json.dumps({
    'images': [{'id': 1, 'width': 64, 'height': 64, 'file_name': 'a.png'}],
    'categories': [{'id': 1, 'name': 'thing'}],
    'annotations': [{
        'id': 1, 'image_id': 1, 'category_id': 1, 'bbox': box,
        'area': 400.0, 'iscrowd': 0,
    }],
}))
results = [{'image_id': 1, 'category_id': 1, 'bbox': box}]
Path('results.json').write_text(json.dumps(results))


def average_precision(library, evaluator):
    truth = library('truth.json')
    found = truth.loadRes('results.json')
    run = evaluator(truth, found, 'bbox')
    run.evaluate()
    run.accumulate()
    run.summarize()
    return float(run.stats[0])


import hotcoco
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

seen = average_precision(hotcoco.COCO, hotcoco.COCOeval)
assert abs(seen - 1.0) < 1e-9, seen
try:
    average_precision(COCO, COCOeval)
except KeyError as error:
    assert error.args == ('score',), error
else:
    raise AssertionError('pycocotools took a result without a score')
print('as stated: hotcoco takes a missing score for 0')
PY
