"""Arms of the mask path are compared before they are timed."""

import importlib
import sys

import bench_mask_path_transformers as bench
import harness
import pytest
from mask_path import (
    Size,
    assert_agreement,
    heads,
    make_inputs,
    recorded_mmdet,
)

SIZE = Size(image=64, targets=4, queries=10, points=40, layers=3)


def test_agrees_with_mmdet_at_its_points():
    head, peer = heads(SIZE)
    inputs = make_inputs(SIZE)
    recorded = recorded_mmdet(peer, inputs)
    assert_agreement(head, recorded, inputs)
    head.criterion.loss_mask.dice_weight *= 1.01
    with pytest.raises(AssertionError, match='not close'):
        assert_agreement(head, recorded, inputs)


def test_agrees_with_transformers():
    pytest.importorskip('transformers')
    arms = bench.mask_path_transformers(SIZE)
    (losses, _), (others, _) = arms.ours(), arms.peer()
    assert losses.keys() == others.keys()
    # Each drew points of its own.
    total, other = (sum(part.values()).item() for part in (losses, others))
    assert total == pytest.approx(other, rel=0.1)


def test_is_left_out_without_transformers(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, 'transformers', None)
    monkeypatch.setattr(harness, 'BENCHES', {})
    importlib.reload(bench)
    (line,) = capsys.readouterr().out.splitlines()
    assert line == f'{bench.NAME} is left out: transformers is not installed'
    assert not harness.BENCHES
