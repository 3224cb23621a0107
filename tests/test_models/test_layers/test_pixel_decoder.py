import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict

from mmseg_plugin.registry import MODELS
from tests.tiny_heads import (
    CHANNELS,
    DIMS,
    SIZE,
    backbone_maps,
    mask2former_pixel_decoder,
)


def build(num_levels):
    torch.manual_seed(0)
    config = mask2former_pixel_decoder(num_levels)
    config |= {'in_channels': list(CHANNELS), 'feat_channels': DIMS}
    decoder = MODELS.build(ConfigDict(config, out_channels=5)).eval()
    decoder.init_weights()
    return decoder


@pytest.mark.parametrize('num_levels', [1, 2, 3, 4])
@torch.no_grad()
def test_any_number_of_levels_can_be_encoded(num_levels):
    decoder = build(num_levels)
    x = backbone_maps()
    features, memories = decoder(x)
    assert features.shape == (2, 5, SIZE[0] // 4, SIZE[1] // 4)
    strides = [32, 16, 8][: len(memories)]
    assert [m.shape[-2:] for m in memories] == [
        (SIZE[0] // s, SIZE[1] // s) for s in strides
    ]


@torch.no_grad()
def test_fpn_joins_each_level_with_its_own_convolutions():
    decoder = build(num_levels=2)
    x = backbone_maps()
    features, memories = decoder(x)
    top = memories[1]
    for level in (1, 0):
        lateral = decoder.lateral_convs[level](x[level])
        up = F.interpolate(top, lateral.shape[-2:], mode='bilinear')
        top = decoder.output_convs[level](lateral + up)
    torch.testing.assert_close(decoder.mask_feature(top), features)


def test_encoder_starts_uniform_and_offsets_on_the_grid():
    decoder = build(num_levels=3)
    layer = decoder.encoder.layers[0]
    weight = layer.ffn.layers[0][0].weight
    bound = (6 / sum(weight.shape)) ** 0.5
    assert 0.9 * bound < weight.abs().max() <= bound
    assert not layer.self_attn.sampling_offsets.weight.any()
    # Head 0 looks to the right: 1, 2, ... pixels for its points.
    offsets = layer.self_attn.sampling_offsets.bias.reshape(4, 3, 4, 2)
    torch.testing.assert_close(
        offsets[0, 0], torch.tensor([[1.0, 0], [2, 0], [3, 0], [4, 0]])
    )
