"""What depends on sizes only is made in the first forward pass alone."""

from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from mmdet.models.layers import coordinate_to_encoding
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmseg_plugin.models.layers.geometry import box_encoding
from mmseg_plugin.models.layers.transformer_pixel_decoder import (
    TransformerPixelDecoder,
)
from tests.tiny_heads import (
    DIMS,
    backbone_maps,
    samples,
    tiny_mask2former,
    tiny_maskformer,
)
from tests.tiny_mask_dino import tiny_mask_dino
from tests.waits import runs

# They say nothing of sizes.
ALLOCATES = {'empty', 'empty_strided', 'new_empty', 'scalar_tensor'}


def transformer_pixel_decoder():
    attention = {'embed_dims': DIMS, 'num_heads': 4, 'batch_first': True}
    ffn = {'embed_dims': DIMS, 'feedforward_channels': 24, 'num_fcs': 2}
    layer = {'self_attn_cfg': attention, 'ffn_cfg': ffn}
    return {
        'type': 'mmdet.TransformerEncoderPixelDecoder',
        'encoder': {'num_layers': 1, 'layer_cfg': layer},
        'positional_encoding': {'num_feats': DIMS // 2, 'normalize': True},
    }


def maskformer(**changes):
    return tiny_maskformer(
        pixel_decoder=transformer_pixel_decoder(), **changes
    )


HEADS = {
    'Mask2Former': tiny_mask2former,
    'MaskFormer': maskformer,
    'MaskFormer, padding masked': lambda: maskformer(padding_mask=True),
    'MaskDINO': tiny_mask_dino,
    'MaskDINO, boxes of masks': lambda: tiny_mask_dino(
        initialize_box_type='bitmask'
    ),
}


class Operators(TorchDispatchMode):
    """Counts operators, and which of them make tensors out of numbers."""

    def __init__(self):
        super().__init__()
        self.count, self.made = 0, Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        self.count += 1
        given = tree_leaves((args, kwargs))
        if not any(isinstance(leaf, torch.Tensor) for leaf in given):
            # PyTorch numbers the bags of a CPU's attention by itself.
            bags = runs(F.embedding_bag.__code__)
            self.made[name] += name not in ALLOCATES and not bags
        return function(*args, **(kwargs or {}))


def padded_samples():
    batch = samples(1, 1)
    batch[1].set_metainfo({'img_shape': (40, 60)})
    return batch


@pytest.mark.parametrize('name', HEADS)
def test_the_second_forward_makes_nothing_of_sizes(name):
    torch.manual_seed(0)
    head, x, batch = HEADS[name]().eval(), backbone_maps(), padded_samples()
    passes = []
    with torch.no_grad():
        head([torch.randn(2, m.shape[1], 8, 8) for m in x], batch)
        for _ in range(2):
            # Other sizes, which nobody has asked for yet.
            with Operators() as seen:
                head([m[..., : m.shape[-1] - 1] for m in x], batch)
            passes.append(seen)
    first, second = passes
    assert first.made.total() > 0
    assert second.count < first.count
    assert +second.made == Counter()


def test_box_encoding_is_mmdets():
    boxes = torch.rand(2, 5, 4)
    want = coordinate_to_encoding(boxes, num_feats=16)
    assert torch.equal(box_encoding(boxes, 16), want)


@pytest.mark.parametrize('padding_mask', [False, True])
def test_maskformers_numbers_are_those_of_mmdets_pixel_decoder(padding_mask):
    torch.manual_seed(0)
    head = maskformer(padding_mask=padding_mask).eval()
    decoder = head.pixel_decoder
    assert type(decoder) is TransformerPixelDecoder
    x, metas = backbone_maps(), [s.metainfo for s in padded_samples()]
    peer = type(decoder).__base__.forward
    with torch.no_grad():
        wanted = peer(decoder, x, metas)
        for got, want in zip(decoder(x, metas), wanted, strict=True):
            torch.testing.assert_close(got, want, rtol=0, atol=1e-6)
