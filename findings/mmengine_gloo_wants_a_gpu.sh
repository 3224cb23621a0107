#!/usr/bin/env bash
# mmengine 0.10.7, torch 2.13.0 on a machine without a GPU
#   (onedl-mmengine 0.10.12 has the same).
# Expected: init_dist('pytorch', backend='gloo') joins processes of torchrun
#   by gloo, as its docstring lists that backend, which computes on CPUs.
# Seen: it calls torch.cuda.set_device whatever the backend is, and torch
#   raises for want of a driver or of CUDA (an AttributeError where it was
#   built without). init_process_group('gloo') in its place works.
# Fails if the process group is made.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy 'setuptools<81'
"$folder/venv/bin/pip" install -q mmengine==0.10.7
cd "$folder"
export CUDA_VISIBLE_DEVICES= MASTER_ADDR=localhost MASTER_PORT=0
export RANK=0 LOCAL_RANK=0 WORLD_SIZE=1
venv/bin/python -W ignore - <<'PY'
import torch.distributed as dist
from mmengine.dist import init_dist

try:
    init_dist('pytorch', backend='gloo')
except (AttributeError, AssertionError, RuntimeError) as error:
    print('as stated:', type(error).__name__, str(error).splitlines()[0])
else:
    raise SystemExit('the group was made')
assert not dist.is_initialized()
dist.init_process_group('gloo')
assert dist.get_backend() == 'gloo'
PY
