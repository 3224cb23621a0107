"""Same numbers as mmdet's heads with the same weights."""

import copy
from pathlib import Path

import mmdet
import pytest
import torch
from mmdet.registry import MODELS as MMDET_MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmseg_plugin.models.dense_heads.mask2former_head import (
    attention_features,
    outside_mask,
)
from mmseg_plugin.registry import MODELS
from tests.tiny_heads import CHANNELS, SIZE, backbone_maps

CONFIGS = Path(mmdet.__file__).parent / '.mim' / 'configs'
# Any order of the losses, which these tests do not need.
TRAINING = ('loss_cls', 'loss_mask', 'loss_dice', 'train_cfg')
MASK2FORMER = 'mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py'
MASKFORMER = 'maskformer/maskformer_r50_ms-16xb1-75e_coco.py'
MASKFORMER_FPN = 'maskformer/maskformer_swin-l-p4-w12_64xb1-ms-300e_coco.py'


def both_heads(path, dtype):
    """mmdet's head and ours from the same config and weights."""
    config = Config.fromfile(CONFIGS / path).model
    theirs = config.panoptic_head
    theirs.in_channels = list(CHANNELS)
    theirs.num_queries = 20
    theirs.transformer_decoder.num_layers = 4
    if 'encoder' in theirs.pixel_decoder:
        theirs.pixel_decoder.encoder.num_layers = 1
    theirs.train_cfg = config.train_cfg
    ours = copy.deepcopy(theirs)
    for key in TRAINING:
        ours.pop(key)
    ours.type = f'mmseg_plugin.{theirs.type}'
    if theirs.type == 'MaskFormerHead':
        ours.padding_mask = True
    with DefaultScope.overwrite_default_scope('mmdet'):
        peer, head = MMDET_MODELS.build(theirs), MODELS.build(ours)
    torch.manual_seed(0)
    for parameter in peer.parameters():
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 9
        torch.nn.init.normal_(parameter, std=1.5 / fan_in**0.5)
    head.load_state_dict(peer.state_dict(), strict=True)
    return peer.to(dtype).eval(), head.to(dtype).eval()


def samples():
    shapes = (SIZE, (30, 60))
    return [
        DetDataSample(metainfo={'img_shape': s, 'batch_input_shape': SIZE})
        for s in shapes
    ]


@pytest.mark.parametrize('path', [MASK2FORMER, MASKFORMER, MASKFORMER_FPN])
@pytest.mark.parametrize(
    ('dtype', 'atol'), [(torch.float64, 1e-6), (torch.float32, 1e-3)]
)
@torch.no_grad()
def test_outputs_and_state_dict_are_those_of_mmdet(path, dtype, atol):
    peer, head = both_heads(path, dtype)
    x = backbone_maps(dtype=dtype)
    cls_logits, maps = peer(x, samples())
    got = head(x, samples())
    assert maps[-1].std() > 1
    torch.testing.assert_close(
        got.cls_logits, torch.stack([*cls_logits]), rtol=0, atol=atol
    )
    torch.testing.assert_close(
        got.masks.dense(), torch.stack([*maps]), rtol=0, atol=atol
    )


@torch.no_grad()
def test_hardly_an_attention_bit_is_flipped():
    """Logits at zero but for rounding may fall on either side in float32."""
    peer, head = both_heads(MASK2FORMER, torch.float32)
    flipped = total = 0
    for size in ((2, 3), (8, 12), (32, 48)):
        features = torch.randn(2, 256, 64, 96)
        query = torch.randn(2, 20, 256)
        outside = peer._forward_head(query, features, size)[-1]
        outside = outside & ~outside.all(-1, keepdim=True)
        embed = head.mask_embed(head.transformer_decoder.post_norm(query))
        ours = outside_mask(embed, attention_features(features, size))
        ours = ours.expand(-1, peer.num_heads, -1, -1).flatten(0, 1)
        assert 0.1 < outside.float().mean() < 0.9
        flipped += (ours != outside).sum().item()
        total += outside.numel()
    assert flipped <= 1e-4 * total


@torch.no_grad()
def test_padding_matters_to_maskformer_only_if_masked():
    _, head = both_heads(MASKFORMER, torch.float64)
    x = backbone_maps(dtype=torch.float64)
    masked = head(x, samples()).cls_logits
    head.padding_mask = False
    plain = head(x, None).cls_logits
    assert not torch.allclose(masked[:, 1], plain[:, 1])
    torch.testing.assert_close(masked[:, 0], plain[:, 0])
