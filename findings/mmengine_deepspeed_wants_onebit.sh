#!/usr/bin/env bash
# mmengine 0.10.7, deepspeed 0.19.8, torch 2.13.0, without a GPU
#   (onedl-mmengine 0.10.12 has the same).
# Expected: DeepSpeedStrategy can be built; mmengine asks for no upper bound
#   of deepspeed, and no 1-bit optimizer is configured.
# Seen: ModuleNotFoundError, as the strategy imports 1-bit Adam, which this
#   deepspeed no longer has, whatever optimizer is asked for.
# Fails if the strategy is built.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip="$folder/venv/bin/pip"
"$pip" install -q torch==2.13.0 numpy 'setuptools<81' wheel
"$pip" install -q mmengine==0.10.7
DS_ACCELERATOR=cpu "$pip" install -q --no-build-isolation deepspeed==0.19.8
cd "$folder"
DS_ACCELERATOR=cpu venv/bin/python -W ignore - <<'PY'
import deepspeed
from mmengine._strategy import DeepSpeedStrategy

assert deepspeed.__version__ == '0.19.8'
try:
    DeepSpeedStrategy()
except ModuleNotFoundError as error:
    assert 'onebit' in str(error), error
    print('as stated:', error)
else:
    raise SystemExit('the strategy was built')
PY
