"""The same predictions give the same results, whatever autocast says."""

import pytest
import torch
from mmengine.structures import InstanceData, PixelData
from torch.utils._pytree import tree_leaves

from mmseg_plugin.models.fusion import PanopticFCNFusionHead
from mmseg_plugin.structures import MaskLogits
from mmseg_plugin.structures.kernels import ImageKernels, Kernels
from tests.test_models.test_fusion.test_query_fusion_head import head, samples
from tests.tiny_segmentors import (
    query_decode_head,
    segmentor,
)

HALVES = pytest.mark.parametrize(
    'dtype', [torch.bfloat16, torch.float16], ids=str
)


def random(*shape):
    generator = torch.Generator().manual_seed(len(shape))
    return torch.randn(shape, generator=generator)


def query_results(**test_cfg):
    masks = MaskLogits(random(1, 40, 8), random(1, 8, 24, 32))
    on = {'instance_on': True, 'semantic_on': True, 'object_mask_thr': 0.0}
    fusion = head(**on, iou_thr=0.1, **test_cfg)
    return fusion.predict(4 * random(1, 40, 6), masks, samples(), True)


def panoptic_fcn_results():
    def found(number, classes):
        scores = torch.linspace(0.9, 0.5, number)
        labels = torch.arange(number) % classes
        return Kernels(random(number, 8), labels, scores)

    fusion = PanopticFCNFusionHead(
        3, 2, test_cfg={'instance_on': True, 'stuff_area': 1}
    )
    kernels = [ImageKernels(found(30, 3), found(4, 3))]
    return fusion.predict(kernels, random(1, 8, 24, 32), samples(), True)


def decode_head_results():
    decode_head = segmentor(query_decode_head()).decode_head
    masks = MaskLogits(random(1, 7, 8), random(1, 8, 24, 32))
    decode_head.head.predict = lambda *_: (4 * random(1, 7, 5), masks)
    return decode_head.predict([], [{'img_shape': (90, 117)}])


def tensors(results):
    """Of instances, panoptic and semantic maps; RLEs as they are."""
    parts = []
    for result in tree_leaves(results):
        if isinstance(result, InstanceData | PixelData):
            parts += tree_leaves(list(result.values()))
        else:
            parts.append(result)
    return parts


@HALVES
@pytest.mark.parametrize(
    'predict',
    [
        query_results,
        lambda: query_results(rle=True),
        lambda: query_results(resize_masks=False, mask_softmax=True),
        panoptic_fcn_results,
        decode_head_results,
    ],
)
def test_results_do_not_change(predict, dtype):
    want = tensors(predict())
    with torch.autocast('cpu', dtype):
        got = tensors(predict())
    assert len(got) == len(want) > 0
    for ours, plain in zip(got, want, strict=True):
        if isinstance(plain, torch.Tensor):
            assert ours.dtype == plain.dtype
            assert torch.equal(ours, plain)
        else:
            assert ours == plain
