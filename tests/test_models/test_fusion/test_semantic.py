import pytest
import torch

from mmseg_plugin.models.fusion import (
    QueryMaps,
    Sizes,
    semantic_scores,
)
from mmseg_plugin.structures import MaskLogits

SIZES = Sizes((64, 64), (60, 64), (30, 32))


def factors():
    torch.manual_seed(0)
    return MaskLogits(torch.randn(1, 20, 8), torch.randn(1, 8, 16, 16))


@pytest.mark.parametrize('resize_masks', [False, True])
def test_scores_under_autocast_are_those_without(resize_masks):
    masks, scores = factors(), torch.rand(20, 5)

    def sums():
        maps = QueryMaps(masks, 0, SIZES)
        return semantic_scores(scores, maps, resize_masks=resize_masks)

    want = sums()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        got = sums()
    assert got.dtype == torch.float32
    assert torch.equal(got, want)
