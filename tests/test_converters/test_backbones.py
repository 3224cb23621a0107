import torch
from mmdet.models.backbones import SwinTransformer
from mmdet.models.backbones.swin import swin_converter

from mmseg_plugin.converters import Table, convert
from mmseg_plugin.converters.backbones import DROPPED, SWIN

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
