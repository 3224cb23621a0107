import pytest
import torch
from mmdet.models.layers import MLP

from mmseg_plugin.models.layers.mask_dino_decoder import MaskDINODecoder
from mmseg_plugin.models.layers.mask_dino_encoder import MaskDINOEncoder
from mmseg_plugin.models.layers.mask_dino_queries import (
    boxes_from_masks,
    encoder_proposals,
)
from mmseg_plugin.structures import MaskLogits
from tests.tiny_heads import CHANNELS, DIMS, backbone_maps


def encoder(**options):
    torch.manual_seed(0)
    config = {
        'in_channels': CHANNELS,
        'feat_channels': DIMS,
        'out_channels': 8,
        'num_layers': 1,
        'num_heads': 4,
        'feedforward_channels': 16,
    }
    return MaskDINOEncoder(**(config | options))


@pytest.mark.parametrize(
    ('options', 'widths'),
    [
        ({'feature_order': 'low2high'}, [12, 6, 3, 2]),
        ({'feature_order': 'high2low'}, [2, 3, 6, 12]),
        ({'num_extra_levels': 0}, [12, 6, 3]),
        ({'num_encoder_levels': 4, 'num_extra_levels': 0}, [24, 12, 6, 3]),
        (
            {'feature_order': 'high2low', 'num_extra_levels': 2},
            [1, 2, 3, 6, 12],
        ),
    ],
)
def test_levels_and_their_order(options, widths):
    mask_features, levels = encoder(**options)(backbone_maps())
    assert [level.shape[-1] for level in levels] == widths
    assert mask_features.shape == (2, 8, 16, 24)


def test_encoder_without_masks_has_no_mask_parameters():
    layer = encoder(out_channels=None)
    names = [name for name, _ in layer.named_parameters()]
    assert not any(
        name.startswith(('mask', 'lateral', 'output')) for name in names
    )
    assert layer(backbone_maps())[0] is None


def test_unknown_feature_order():
    with pytest.raises(ValueError, match='feature_order'):
        encoder(feature_order='up')


def test_initial_weights():
    layer = encoder()
    layer.init_weights()
    assert layer.input_convs[0].conv.bias.abs().sum() == 0
    attention = layer.encoder.layers[0].self_attn
    assert attention.attention_weights.weight.abs().sum() == 0
    # Not a normal distribution: nothing beyond the bound of the uniform.
    weight = layer.encoder.layers[0].ffn.layers[1].weight
    bound = (6 / sum(weight.shape)) ** 0.5
    assert 0.9 * bound < weight.abs().max() <= bound


def test_proposals():
    memory, logits = encoder_proposals(
        torch.ones(2, 8 + 2, 3), [(2, 4), (1, 2)]
    )
    boxes = logits[0].sigmoid()
    torch.testing.assert_close(
        boxes[1], torch.tensor([0.375, 0.25, 0.05, 0.05])
    )
    torch.testing.assert_close(boxes[9], torch.tensor([0.75, 0.5, 0.1, 0.1]))
    assert (memory == 1).all()


def test_proposals_too_near_the_border_or_too_large_are_no_candidates():
    sizes = [(1, 100), *[(1, 1)] * 5]
    memory, logits = encoder_proposals(torch.ones(1, 105, 3), sizes)
    left_out = logits.isinf().all(-1)[0].nonzero()[:, 0]
    # First and last column, and a box larger than the image.
    assert left_out.tolist() == [0, 99, 104]
    assert memory[0, left_out].abs().sum() == 0


def test_boxes_from_masks_of_one_pixel_and_of_none():
    features = -torch.ones(1, 2, 4, 8)
    features[0, 0, 1, 3] = 1
    masks = MaskLogits(torch.eye(2)[None], features)
    exclusive = boxes_from_masks(masks, 'bitmask')[0]
    assert exclusive[0].tolist() == [3.5 / 8, 1.5 / 4, 1 / 8, 1 / 4]
    assert exclusive[1].tolist() == [0, 0, 0, 0]
    inclusive = boxes_from_masks(masks, 'mask2box')[0]
    assert inclusive[0].tolist() == [3 / 8, 1 / 4, 0, 0]
    assert (inclusive[1, :2] > 1).all()
    assert (inclusive[1, 2:] < 0).all()


def decode(query, box_logits):
    torch.manual_seed(0)
    decoder = MaskDINODecoder(
        DIMS, 2, num_layers=2, num_heads=4, feedforward_channels=16
    )
    bbox_embed = MLP(DIMS, DIMS, 4, 3)
    memory = torch.randn(1, 8 + 2, DIMS)
    hidden, boxes = decoder(
        query, box_logits, memory, [(2, 4), (1, 2)], bbox_embed
    )
    return hidden, boxes, bbox_embed


def test_boxes_look_forward_twice():
    query = torch.randn(1, 3, DIMS)
    logits = torch.randn(1, 3, 4, requires_grad=True)
    hidden, boxes, bbox_embed = decode(query, logits)
    assert hidden.shape == (2, 1, 3, DIMS)
    torch.testing.assert_close(boxes[0], logits.sigmoid())
    # A prediction is one change from the box its layer looked at.
    first = (logits + bbox_embed(hidden[0])).sigmoid()
    torch.testing.assert_close(boxes[1], first)
