import torch
from mmdet.models.backbones import ResNet, SwinTransformer
from mmdet.models.backbones.swin import swin_converter

from mmseg_plugin.converters import Table, convert
from mmseg_plugin.converters.backbones import DROPPED, RESNET, SWIN

TABLE = Table(SWIN, DROPPED)


def tiny_swin():
    torch.manual_seed(0)
    return SwinTransformer(
        embed_dims=8,
        depths=(1, 2, 1, 1),
        num_heads=(1, 1, 1, 1),
        window_size=2,
    )


def test_swin_round_trip_is_exact_and_as_mmdet_converts_it():
    ours = {
        f'backbone.{key}': torch.randn(value.shape)
        for key, value in tiny_swin().state_dict().items()
    }
    official = convert(ours, TABLE, 'd2').state
    again = convert(official, TABLE, 'mmdet').state
    assert again.keys() == ours.keys()
    assert all(torch.equal(again[key], ours[key]) for key in ours)
    bare = {k.removeprefix('backbone.'): v for k, v in official.items()}
    theirs = swin_converter(bare)
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[key], ours[key]) for key in ours)


def test_every_stage_of_a_resnet_is_renamed():
    state = {
        f'backbone.{key}': value
        for key, value in ResNet(50, base_channels=4).state_dict().items()
        if 'num_batches_tracked' not in key
    }
    table = Table(RESNET, DROPPED)
    official = convert(state, table, 'd2').state
    assert len(official) == len(state)
    for stage in range(1, 5):
        for there, here in (
            ('0.conv1.weight', '0.conv1.weight'),
            ('1.conv3.norm.bias', '1.bn3.bias'),
            ('0.shortcut.norm.running_var', '0.downsample.1.running_var'),
        ):
            found = official[f'backbone.res{stage + 1}.{there}']
            assert found is state[f'backbone.layer{stage}.{here}']
    assert convert(official, table, 'mmdet').state.keys() == state.keys()
