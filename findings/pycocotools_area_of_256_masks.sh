#!/usr/bin/env bash
# pycocotools 2.0.11, numpy 2.
# Expected: mask.area takes a list of RLEs of any length, as mask.toBbox does.
# Seen: from 256 RLEs on it raises OverflowError: Python integer 256 out of
#   bounds for uint8. 255 are measured.
# Fails if 256 are measured too, or 255 no longer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pycocotools==2.0.11 'numpy>=2,<3'
cd "$folder"
venv/bin/python - <<'PY'
import numpy as np
from pycocotools import mask

masks = np.zeros((10, 10, 256), np.uint8, order='F')
masks[2:5, 3:7] = 1
rles = mask.encode(masks)
assert mask.area(rles[:255]).tolist() == [12] * 255
assert mask.toBbox(rles).shape == (256, 4)
try:
    mask.area(rles)
except OverflowError as error:
    assert 'uint8' in str(error), error
else:
    raise AssertionError('256 masks are measured')
print('as stated: mask.area takes 255 masks, not 256')
PY
