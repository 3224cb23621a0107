import pytest
import torch

from mmseg_plugin.models.fusion import (
    QueryFusionHead,
    QueryMaps,
    Sizes,
    semantic_scores,
)
from mmseg_plugin.structures import MaskLogits
from tests.test_models.test_fusion.test_query_fusion_head import samples

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
    torch.testing.assert_close(got, want, rtol=0.01, atol=0.02)


def test_every_result_under_autocast():
    test_cfg = {'instance_on': True, 'semantic_on': True}
    head = QueryFusionHead(3, 2, test_cfg=test_cfg)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        (found,) = head.predict(torch.randn(1, 20, 6), factors(), samples())
    assert {*found} == {'pan_results', 'ins_results', 'sem_results'}
    assert found['ins_results'].scores.isfinite().all()
