import torch

from mmseg_plugin.models.necks import SemanticFPN


def test_sum_at_the_first_level():
    neck = SemanticFPN(8, 32, num_levels=3)
    levels = [torch.randn(2, 8, 16 >> i, 24 >> i) for i in range(4)]
    out = neck(levels)
    assert out.shape == (2, 32, 16, 24)
    assert neck.out_channels == 32
    alone = sum(
        level(x) for level, x in zip(neck.levels, levels, strict=False)
    )
    assert torch.equal(out, alone)
    # One convolution each for the first two, then one more a level.
    assert [len(level.conv) for level in neck.levels] == [1, 1, 2]
