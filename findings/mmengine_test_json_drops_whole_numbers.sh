#!/usr/bin/env bash
# mmengine 0.10.7 (onedl-mmengine 0.10.12 does the same), numpy 2.
# Expected: the JSON file that a test leaves in its work_dir has the metrics
#   that the log shows.
# Seen: a metric that is a Python int is null there. MMEngine keeps metrics
#   in NumPy arrays; a float comes back as numpy.float64, which is a float, an
#   int as numpy.int64, which is no int, and is dropped as unsupported.
# Fails if the number is written.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 numpy 'setuptools<81'
"$folder/venv/bin/pip" install -q mmengine==0.10.7
cd "$folder"
venv/bin/python -W ignore - <<'PY'
import json
from pathlib import Path

import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner


class Model(BaseModel):
    def forward(self, inputs, data_samples=None, mode='tensor'):
        return list(inputs)


class Count(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [1 for _ in data_samples]

    def compute_metrics(self, results):
        return {'count': len(results), 'share': 0.5}


data = [{'inputs': torch.zeros(1)} for _ in range(3)]
sampler = {'type': 'DefaultSampler'}
loader = {'dataset': data, 'batch_size': 1, 'sampler': sampler}
test = {'test_dataloader': loader, 'test_cfg': {}}
runner = Runner(Model(), 'work', **test, test_evaluator=Count())
assert runner.test() == {'count': 3, 'share': 0.5}
(file,) = Path('work').glob('*/*.json')
found = json.loads(file.read_text())
assert found['share'] == 0.5, found
assert found['count'] is None, found
print('as stated:', found)
PY
