import pytest
import torch
from mmcv.cnn.bricks.transformer import MultiheadAttention
from torch import nn

from mmseg_plugin.models.layers import FusedAttention, fuse_attention


def attentions(**kwargs):
    torch.manual_seed(0)
    config = {'embed_dims': 12, 'num_heads': 3, 'batch_first': True}
    return MultiheadAttention(**config, **kwargs).double().eval()


def inputs():
    sizes = {'query': 4, 'key': 6, 'value': 6, 'query_pos': 4, 'key_pos': 6}
    return {
        name: torch.randn(2, n, 12, dtype=torch.float64)
        for name, n in sizes.items()
    }


@pytest.mark.parametrize('padded', [False, True])
@pytest.mark.parametrize('masked', [False, True])
def test_output_and_gradients_are_those_of_mmcv(masked, padded):
    theirs = attentions()
    x = inputs()
    x['query'].requires_grad_()
    attn_mask = torch.rand(2, 1, 4, 6) < 0.5 if masked else None
    padding = torch.zeros(2, 6, dtype=torch.bool)
    padding[1, 3:] = True
    if masked:
        # No row may be blocked throughout, as the heads ensure.
        attn_mask[..., 0] = False
    common = {'key_padding_mask': padding if padded else None}
    repeated = attn_mask
    if masked:
        repeated = attn_mask.repeat(1, 3, 1, 1).flatten(0, 1)
    want = theirs(**x, attn_mask=repeated, **common)
    (grad,) = torch.autograd.grad(want.square().sum(), x['query'])
    got = FusedAttention(theirs)(**x, attn_mask=attn_mask, **common)
    torch.testing.assert_close(got, want)
    (fused,) = torch.autograd.grad(got.square().sum(), x['query'])
    torch.testing.assert_close(fused, grad)


def test_dropout_acts_in_training_only():
    fused = FusedAttention(attentions(attn_drop=0.5)).eval()
    x = inputs()
    torch.testing.assert_close(fused(**x), fused(**x))
    fused.train()
    assert not torch.allclose(fused(**x), fused(**x))


def test_all_attentions_of_a_module_change_and_no_parameter_does():
    module = nn.ModuleList([nn.ModuleDict({'a': attentions()}), attentions()])
    before = module.state_dict()
    fuse_attention(module)
    assert isinstance(module[0]['a'], FusedAttention)
    assert isinstance(module[1], FusedAttention)
    assert module.state_dict().keys() == before.keys()
    assert module[1].attn.in_proj_weight is not None


@pytest.mark.parametrize('change', [{'batch_first': False}, {'kdim': 8}])
def test_what_cannot_be_fused_is_refused(change):
    config = {'embed_dims': 12, 'num_heads': 3, 'batch_first': True}
    with pytest.raises(ValueError, match='batch-first'):
        FusedAttention(MultiheadAttention(**config | change))
