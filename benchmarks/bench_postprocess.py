"""Results from queries, against mmdet's fusion head and its encoder.

Every bit is equal.
"""

import torch
import torch.nn.functional as F
from harness import Arms, bench
from mmdet.models.seg_heads import MaskFormerFusionHead
from mmdet.structures import DetDataSample
from mmdet.structures.mask import encode_mask_results
from precisions import FLOAT32
from torch import Tensor

from mmseg_plugin.models.fusion import QueryFusionHead, QueryMaps, Sizes
from mmseg_plugin.models.fusion.instance_masks import host_masks

NUM_QUERIES, NUM_CLASSES = 100, 133
# Network input with padding, without it, and size of the results.
SIZES = {
    '480x640': ((800, 1088), (800, 1067), (480, 640)),
    '1080x1920': ((800, 1344), (750, 1333), (1080, 1920)),
}


def head_outputs(padded: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Class logits and stride 4 mask logits: blobs of 3 % of the image.

    A quarter of the queries is sure of its class, as after training.
    """
    height, width = (size // 4 for size in padded)
    generator = torch.Generator().manual_seed(0)
    centre = torch.rand(NUM_QUERIES, 2, 1, 1, generator=generator)
    share = 0.4 + 1.2 * torch.rand(NUM_QUERIES, 1, 1, generator=generator)
    radius = share * (0.03 * height * width / torch.pi) ** 0.5
    rows = torch.arange(height)[:, None] - centre[:, 0] * height
    cols = torch.arange(width) - centre[:, 1] * width
    masks = (6 - 6 * torch.hypot(rows, cols) / radius).clamp(min=-12)
    masks += 0.3 * torch.sin(0.7 * cols) * torch.cos(0.9 * rows)
    logits = torch.randn(NUM_QUERIES, NUM_CLASSES + 1, generator=generator)
    labels = torch.randint(NUM_CLASSES, (NUM_QUERIES,), generator=generator)
    sure = torch.rand(NUM_QUERIES, generator=generator) < 0.25
    logits[:, -1] += 2
    logits[range(NUM_QUERIES), labels] += torch.where(sure, 12.0, 3.0)
    return logits[None], masks[None]


def arms(
    size: str, num_things: int, test_cfg: dict, device: torch.device
) -> tuple[Arms, tuple]:
    """Both fusion heads on the same outputs, and one result of each."""
    padded, image, out = SIZES[size]
    logits, masks = (part.to(device) for part in head_outputs(padded))
    meta = {'batch_input_shape': padded, 'img_shape': image, 'ori_shape': out}
    samples = [DetDataSample(metainfo=meta)]
    counts = (num_things, NUM_CLASSES - num_things)
    ours = QueryFusionHead(*counts, test_cfg=test_cfg).to(device)
    peer = MaskFormerFusionHead(*counts, test_cfg=test_cfg)

    def run_ours() -> dict:
        return ours.predict(logits, masks, samples, rescale=True)[0]

    @torch.no_grad()
    def run_peer() -> dict:
        # mmdet's head does the first resize, on every query.
        full = F.interpolate(
            masks, padded, mode='bilinear', align_corners=False
        )
        return peer.predict(logits, full, samples, rescale=True)[0]

    return Arms(run_ours, run_peer), (run_ours(), run_peer())


def same(ours: Tensor, peer: Tensor) -> bool:
    """Every bit equal; other devices may round on either side of zero."""
    most = 0 if ours.device.type == 'cpu' else 1e-4
    return bool((ours != peer).float().mean() <= most)


def instance(size: str, device: torch.device) -> Arms:
    raced, results = arms(
        *(size, NUM_CLASSES),
        *({'panoptic_on': False, 'instance_on': True}, device),
    )
    ours, peer = (result['ins_results'] for result in results)
    peer = peer[peer.scores.argsort(descending=True, stable=True)]
    assert same(ours.masks, peer.masks)
    if device.type == 'cpu':
        assert torch.equal(ours.bboxes, peer.bboxes)
    torch.testing.assert_close(ours.scores, peer.scores, rtol=0, atol=1e-6)
    return raced


def panoptic(size: str, device: torch.device) -> Arms:
    raced, results = arms(size, 80, {'filter_low_score': True}, device)
    ours, peer = (result['pan_results'].sem_seg for result in results)
    assert same(ours, peer)
    assert len(ours.unique()) > 10
    return raced


for _size in SIZES:
    for _make, _target in ((instance, 10), (panoptic, 2.5)):
        bench(
            f'postprocess_{_make.__name__}_{_size}',
            *('mmdet fusion', _target),
            precisions=FLOAT32,
        )(lambda device, make=_make, size=_size: make(size, device))


@bench('encode_masks_1024x2048', 'mmdet, whole masks', 20)
def encode() -> Arms:
    """COCO RLE of 100 instances, from crops and from whole masks."""
    size = (1024, 2048)
    _, logits = head_outputs(size)
    every = torch.arange(NUM_QUERIES)
    maps = QueryMaps(logits, 0, Sizes(size, size, size))
    masks = host_masks(every, maps, mask_thr=0.5)
    whole = masks.dense(every).numpy()
    arms = Arms(lambda: masks.codes(every), lambda: encode_mask_results(whole))
    assert arms.ours() == arms.peer()
    return arms
