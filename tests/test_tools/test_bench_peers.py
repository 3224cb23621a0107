"""What benchmarks compare with is the published computation."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tests.golden import collect_cases, compare, golden_dir
from tests.golden.panoptic_quality import images

PEERS = Path(__file__).parents[2] / 'tools' / 'bench' / 'peers'
CASES = [case for case in collect_cases(golden_dir()) if case.kind == 'pq']


def peer(name):
    spec = importlib.util.spec_from_file_location(name, PEERS / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('case', CASES, ids=lambda case: case.name)
def test_panoptic_quality(case):
    loop = peer('panoptic_quality')
    data = [
        [
            case[image + key]
            for key in ('gt_ids', 'pred_ids', 'gt_segments', 'pred_segments')
        ]
        for image in images(case)
    ]
    counts = loop.count_images(data)
    rows = [counts[int(label)] for label in case['in/categories'][:, 0]]
    table = [(c.iou, c.hits, c.wrong, c.missed) for c in rows]
    compare(case, 'out/per_class_iou_tp_fp_fn', np.array(table))
    compare(case, 'out/All', np.array(loop.quality(rows)))
