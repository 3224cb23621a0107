#!/usr/bin/env bash
# pycocotools 2.0.11.
# Expected: the class axis of eval['precision'] is in the order of the
#   params.catIds that were given: [40, 7].
# Seen: evaluate() sorts them: the axis is 7, 40. The class that is found
#   (40) has AP 0 at its place, and the one that is missed (7) AP 1.
#   onedl-mmdetection 3.5.1's table of classes takes the other order.
# Fails if the axis is in the order that was given.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pycocotools==2.0.11 numpy
cd "$folder"
venv/bin/python - <<'PY'
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

box = [10.0, 10.0, 20.0, 20.0]
truth = COCO()
truth.dataset = {
    'images': [{'id': 1, 'width': 64, 'height': 64}],
    'categories': [{'id': 40, 'name': 'cell'}, {'id': 7, 'name': 'disc'}],
    'annotations': [
        {
            'id': place + 1, 'image_id': 1, 'category_id': category,
            'bbox': box, 'area': 400.0, 'iscrowd': 0,
        }
        for place, category in enumerate((40, 7))
    ],
}
truth.createIndex()
found = truth.loadRes(
    [{'image_id': 1, 'category_id': 40, 'bbox': box, 'score': 0.9}]
)
run = COCOeval(truth, found, 'bbox')
given = truth.getCatIds()
assert given == [40, 7], given
run.params.catIds = given
run.evaluate()
run.accumulate()
precision = run.eval['precision'][:, :, :, 0, -1].mean((0, 1)).tolist()
assert [round(p, 6) for p in precision] == [0, 1], precision
print('as stated: AP of classes', given, 'is given as', precision)
PY
