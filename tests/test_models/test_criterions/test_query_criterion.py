"""The criterion of every query head, apart from its network."""

import pytest

from tests.tiny_heads import (
    maskformer_losses,
    point_losses,
    tiny_mask2former,
    tiny_maskformer,
)
from tests.tiny_mask_dino import tiny_mask_dino

HEADS = {
    'mask2former': lambda: tiny_mask2former(**point_losses()),
    'maskformer': lambda: tiny_maskformer(**maskformer_losses()),
    'mask_dino': tiny_mask_dino,
}


@pytest.mark.parametrize('build', HEADS.values(), ids=HEADS)
def test_a_criterion_adds_nothing_to_a_state_dict(build):
    criterion = build().criterion
    assert not list(criterion.parameters())
    assert not criterion.state_dict()


def test_a_head_without_losses_predicts():
    criterion = tiny_mask2former().criterion
    assert criterion.loss_mask is None
    assert criterion.assigner is None
