"""C2' and what must not change because of it."""

import pytest
import torch
from mmdet.models.backbones import ResNet, ResNeXt

from mmseg_plugin.models.backbones import ExtendedResNet, ExtendedResNeXt

TINY = {'base_channels': 8, 'stem_channels': 8}
CASES = [
    (ExtendedResNet, ResNet, {'depth': 18, **TINY}, 8),
    (ExtendedResNet, ResNet, {'depth': 50, 'deep_stem': True, **TINY}, 32),
    (
        ExtendedResNeXt,
        ResNeXt,
        {'depth': 50, 'groups': 4, 'base_width': 4, **TINY},
        None,
    ),
]
every_backbone = pytest.mark.parametrize(
    ('extended', 'plain', 'options', 'channels'), CASES
)


def pair(extended, plain, options, **kwargs):
    """Both backbones with the same weights, and two images."""
    torch.manual_seed(0)
    ours = extended(**options, **kwargs)
    peer = plain(**options, **kwargs)
    peer.load_state_dict(ours.state_dict())
    ours.train()
    peer.train()
    return ours, peer, torch.randn(2, 3, 64, 48)


@every_backbone
def test_other_maps_are_those_of_the_backbone(
    extended, plain, options, channels
):
    ours, peer, images = pair(extended, plain, options)
    want = peer(images)
    c2_extended, *maps = ours(images)
    assert c2_extended.shape == (2, maps[0].size(1), 32, 24)
    assert channels in (None, c2_extended.size(1))
    for others in (maps, ours(images, extended=False)):
        assert len(others) == len(want)
        for got, each in zip(others, want, strict=True):
            torch.testing.assert_close(got, each, rtol=0, atol=0)


def test_second_pass_is_layer1_on_the_stem():
    ours, peer, images = pair(*CASES[0][:3])
    stem = peer.relu(peer.norm1(peer.conv1(images)))
    torch.testing.assert_close(ours(images)[0], peer.layer1(stem))


def test_second_pass_leaves_running_statistics_alone():
    ours, peer, images = pair(*CASES[0][:3], norm_eval=False)
    norm = ours.layer1[0].bn1
    before = norm.running_mean.clone()
    ours(images)
    peer(images)
    assert not torch.equal(norm.running_mean, before)
    assert norm.training
    state = peer.state_dict()
    for key, value in ours.state_dict().items():
        torch.testing.assert_close(value, state[key], rtol=0, atol=0)


def test_second_pass_trains_the_stage():
    ours, _, images = pair(*CASES[0][:3])
    ours(images)[0].sum().backward()
    assert ours.layer1[1].conv2.weight.grad.abs().sum() > 0
    assert ours.conv1.weight.grad.abs().sum() > 0
    assert ours.layer2[0].conv1.weight.grad is None
