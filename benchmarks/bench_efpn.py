"""EFPN on the CPU, at the size of the tiny configs.

Images: against the same detector with an FPN that sees the image at twice the
size, and at the same size. Training of the extension: against a teacher that
keeps its graph.
"""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from unittest.mock import patch

import torch
from harness import Arms, bench
from mmdet.models.detectors import TwoStageDetector
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData

CONFIGS = Path(__file__).parents[1] / 'configs'
SIDE = 256


def detector(name: str) -> TwoStageDetector:
    config = Config.fromfile(CONFIGS / name)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(config.model).eval()


def predictor(name: str, side: int) -> Callable[[], object]:
    model = detector(name)
    meta = {
        'img_shape': (side, side),
        'ori_shape': (SIDE, SIDE),
        'scale_factor': (side / SIDE, side / SIDE),
        'batch_input_shape': (side, side),
    }
    image = torch.rand(1, 3, side, side)

    @torch.no_grad()
    def predict() -> object:
        return model.predict(image, [DetDataSample(metainfo=meta)])

    return predict


def images(scale: int) -> Arms:
    return Arms(
        predictor('efpn/mask-rcnn_tiny_efpn_head_nuclei.py', SIDE),
        predictor('efpn/mask-rcnn_tiny_fpn_nuclei.py', scale * SIDE),
    )


# Twice the input is what EFPN has to beat; it cannot be as cheap as the FPN.
for suffix, scale, target in (('', 2, 1), ('-1x', 1, 0.5)):
    peer = f'FPN at {scale}x input'
    make = partial(images, scale)
    bench(f'efpn-image{suffix}', peer, target)(make)
    bench(f'efpn-image{suffix}-memory', peer, target, 'MB')(make)


@bench('efpn-teacher-memory', 'teacher with its graph', 1, 'MB')
def teacher() -> Arms:
    model = detector('efpn/mask-rcnn_tiny_efpn_extension_nuclei.py').train()
    boxes = torch.tensor([[10.0, 10.0, 24.0, 24.0]])
    samples = [DetDataSample(gt_instances=InstanceData(bboxes=boxes))] * 2
    batch = torch.rand(2, 3, 2 * SIDE, 2 * SIDE)

    def step() -> None:
        model.zero_grad()
        losses = model.extension_loss(batch, samples)
        sum(losses.values()).backward()

    def peer() -> None:
        # As if nobody had said that the teacher learns nothing.
        model.requires_grad_(True)
        with patch.object(torch, 'no_grad', nullcontext):
            step()

    return Arms(step, peer)
