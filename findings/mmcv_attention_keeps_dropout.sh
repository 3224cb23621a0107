#!/usr/bin/env bash
# mmcv-lite 2.1.0, MultiheadAttention (onedl-mmcv-lite 2.3.6 has the same).
# Expected: an attention that is built without `dropout` has none, as its
#   signature says.
# Seen: once another one was built with dropout=0.1, it has 0.1 too, in the
#   whole process: the value is written into the signature's default dict.
#   Who builds a MaskFormer and then a Mask2Former whose config does not say
#   dropout=0.0 trains the second one with the first one's dropout.
# Fails if the later attention has no dropout.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy 'setuptools<81'
"$folder/venv/bin/pip" install -q mmengine==0.10.7 mmcv-lite==2.1.0
cd "$folder"
venv/bin/python -W ignore - <<'PY'
from mmcv.cnn.bricks.transformer import MultiheadAttention

before = MultiheadAttention(8, 2).dropout_layer
MultiheadAttention(8, 2, dropout=0.1)
after = MultiheadAttention(8, 2).dropout_layer
assert getattr(before, 'p', 0) == 0, before
assert after.p == 0.1, after
print('as stated:', before, 'before,', after, 'after')
PY
