"""Intra-Batch Supervision in every head with queries."""

import pytest
import torch

from tests.tiny_heads import (
    backbone_maps,
    maskformer_losses,
    point_losses,
    samples,
    tiny_mask2former,
    tiny_maskformer,
)
from tests.tiny_mask_dino import tiny_mask_dino

HEADS = {
    'mask2former': lambda **ibs: tiny_mask2former(**point_losses(), **ibs),
    'maskformer': lambda **ibs: tiny_maskformer(**maskformer_losses(), **ibs),
    'mask_dino': tiny_mask_dino,
}
heads = pytest.mark.parametrize('build', HEADS.values(), ids=HEADS)


def losses_of(head, *counts):
    torch.manual_seed(0)
    return head.loss(backbone_maps(len(counts)), samples(*counts))


def with_ibs(build, **options):
    ibs = {'type': 'mmseg_plugin.IntraBatchLoss', 'num_points': 48}
    torch.manual_seed(0)
    return build(loss_ibs=ibs | options)


@heads
@pytest.mark.parametrize(
    'counts', [(2, 3), (0, 3), (0, 0)], ids=lambda c: f'{c[0]}+{c[1]}'
)
def test_keys_are_constant_and_gradients_reach_every_parameter(build, counts):
    head = with_ibs(build)
    losses = losses_of(head, *counts)
    names = {name for name in losses if 'loss_ibs' in name}
    layers = {name for name in losses if name.endswith('loss_mask')}
    matched = {name for name in layers if 'dn_' not in name}
    assert names == {name.replace('mask', 'ibs') for name in matched}
    without = losses_of(build(), *counts).keys()
    assert losses.keys() - names == without
    found = {name: loss for name, loss in losses.items() if 'loss' in name}
    assert all(loss.isfinite() for loss in found.values())
    things = sum(losses[name] for name in names)
    assert (things > 0) == (sum(counts) > 0)
    sum(found.values()).backward()
    for name, parameter in head.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@heads
def test_layers_before_the_first_are_not_supervised(build):
    losses = losses_of(with_ibs(build, first_layer=2), 2, 3)
    ibs = [loss for name, loss in losses.items() if 'loss_ibs' in name]
    assert sum(loss == 0 for loss in ibs) == 2
    assert sum(loss > 0 for loss in ibs) == len(ibs) - 2


@pytest.mark.parametrize(
    ('name', 'before'),
    [('mask2former', 1), ('maskformer', 0), ('mask_dino', 2)],
)
def test_each_decoder_layer_is_supervised_and_nothing_before(name, before):
    losses = losses_of(with_ibs(HEADS[name]), 2, 3)
    keys = sorted(key for key in losses if key.endswith('.loss_ibs'))
    keys = ['enc_loss_ibs', *keys] if 'enc_loss_ibs' in losses else keys
    values = [losses[key] for key in [*keys, 'loss_ibs']]
    assert [value > 0 for value in values[:before]] == [False] * before
    assert all(value > 0 for value in values[before:])
