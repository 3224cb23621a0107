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


def gradients(model, losses):
    losses.backward()
    return {
        name: parameter.grad
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


def weigh(maps):
    generator = torch.Generator().manual_seed(0)
    return sum(
        (each * torch.randn(each.shape, generator=generator).to(each)).sum()
        for each in maps
    )


@every_backbone
@pytest.mark.parametrize('norm_eval', [False, True])
def test_checkpointing_changes_no_gradient(
    extended, plain, options, channels, norm_eval
):
    found = []
    for with_cp in (False, True):
        ours, peer, images = pair(
            *(extended, plain, options), norm_eval=norm_eval, with_cp=with_cp
        )
        ours, peer, images = ours.double(), peer.double(), images.double()
        found.append(gradients(ours, weigh(ours(images))))
        # mmdet's own norms see the batch again when it is recomputed.
        gradients(peer, weigh(peer(images)))
        state = peer.state_dict()
        for key, value in ours.state_dict().items():
            torch.testing.assert_close(value, state[key], rtol=0, atol=0)
    once, again = found
    assert once.keys() == again.keys()
    for name, grad in once.items():
        torch.testing.assert_close(again[name], grad)


def test_second_pass_alone_counts_no_batch():
    options = CASES[1][:3]
    ours, _, images = pair(*options, norm_eval=False, with_cp=True)
    gradients(ours, weigh(ours(images)[:1]))
    assert ours.layer1[0].bn1.num_batches_tracked == 1
    assert ours.stem[1].num_batches_tracked == 1


def test_second_pass_has_the_statistics_of_its_time():
    """Also where the norms see another batch before the gradients."""
    found = []
    for late in (False, True):
        ours, _, images = pair(*CASES[0][:3], norm_eval=False, with_cp=True)
        loss = weigh(ours(images)[:1])
        if late:
            ours(3 * images)
        found.append(gradients(ours, loss))
    torch.testing.assert_close(*found)


def test_forward_changes_no_module():
    """Nothing for another thread, or a compiler, to stumble over."""
    ours, _, images = pair(*CASES[0][:3], norm_eval=False)
    before = {id(part): part.training for part in ours.modules()}
    changed = []

    def look(module, args):
        hooks = len(module._forward_pre_hooks)
        changed.append(hooks - 1 or before[id(module)] != module.training)

    for part in ours.modules():
        part.register_forward_pre_hook(
            lambda _, args, part=part: look(part, args)
        )
    ours(images)
    assert changed
    assert not any(changed)
