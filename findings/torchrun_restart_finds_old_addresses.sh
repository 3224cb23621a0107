#!/usr/bin/env bash
# torch 2.13.0, torchrun --max-restarts 1 with the gloo backend on CPUs.
# Expected: after a restart init_process_group waits until all processes of
#   this start have come.
# Seen: the store of the first start is used again, without a prefix of its
#   own (rendezvous.py says that every retry has a new one). A process that
#   comes early finds the address of one that is gone, and ends with
#   "Connection refused". A PrefixStore with TORCHELASTIC_RESTART_COUNT in its
#   name works.
# Fails if the first process waits for the second one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy
cd "$folder"
cat > rank.py <<'PY'
import os
import sys
import time

import torch.distributed as dist

restart, rank = os.environ['TORCHELASTIC_RESTART_COUNT'], os.environ['RANK']
if restart == '0':
    dist.init_process_group('gloo')
    dist.barrier()
    os._exit(1)
if rank == '1':
    time.sleep(20)
if sys.argv[1] == 'prefix':
    store, number, count = next(dist.rendezvous('env://'))
    store = dist.PrefixStore(f'restart_{restart}', store)
    how = {'store': store, 'rank': number, 'world_size': count}
else:
    how = {}
try:
    dist.init_process_group('gloo', **how)
except RuntimeError as error:
    print('ended:', str(error).splitlines()[0], flush=True)
    os._exit(1)
print('joined', flush=True)
os._exit(0)
PY
run() {
    venv/bin/torchrun --nproc-per-node 2 --max-restarts 1 \
        --rdzv-backend c10d --rdzv-endpoint localhost:0 rank.py "$1" \
        2> /dev/null || true
}
export CUDA_VISIBLE_DEVICES=
plain=$(run plain)
grep -q 'ended: .*refused' <<< "$plain"
[ "$(run prefix | grep -c joined)" = 2 ]
echo "as stated: $(head -c 120 <<< "$plain")"
