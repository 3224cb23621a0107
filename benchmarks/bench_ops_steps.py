"""Training steps of whole models on plain operators and on compiled ones."""

from typing import Any

import torch
from harness import Arms, bench
from mask_path import ellipses
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmengine.structures import InstanceData, PixelData
from model_pairs import CONFIGS
from operators import COMPARABLE, compiled, operators
from torch import Tensor

from mmseg_plugin.ops import ext
from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures import boxes_of

SIZE, TARGETS, THINGS = 512, 10, 80
NAMES = {
    'mask_rcnn': 'mask_rcnn/mask-rcnn_r50_fpn_bce_1x_coco.py',
    'panoptic_fcn': 'panoptic_fcn/panoptic-fcn_r50-512_fpn_8xb2-3x_coco.py',
}


def sample() -> DetDataSample:
    """Ellipses of things on one class of stuff."""
    masks = ellipses(TARGETS, SIZE)
    size = (SIZE, SIZE)
    names = ('batch_input_shape', 'pad_shape', 'img_shape', 'ori_shape')
    meta = dict.fromkeys(names, size)
    found = DetDataSample(metainfo={**meta, 'scale_factor': (1.0, 1.0)})
    found.gt_instances = InstanceData(
        bboxes=boxes_of(masks)[0].float(),
        labels=torch.randint(THINGS, (TARGETS,)),
        masks=BitmapMasks(masks.byte().numpy(), SIZE, SIZE),
    )
    found.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4))
    stuff = torch.full((1, SIZE, SIZE), THINGS)
    found.gt_sem_seg = PixelData(sem_seg=stuff)
    return found


def step_arms(name: str) -> Arms:
    """A forward and a backward pass of one image, the same random numbers."""
    register_all_modules(init_default_scope=True)
    config = Config.fromfile(CONFIGS.parent / NAMES[name]).model
    config.backbone.init_cfg = None
    torch.manual_seed(0)
    model: Any = MODELS.build(config)
    images = torch.randn(1, 3, SIZE, SIZE)
    samples = [sample()]

    def step(found: object) -> Tensor:
        torch.manual_seed(1)
        with operators(found):
            losses = model.loss(images, [x.clone() for x in samples])
            total, _ = model.parse_losses(losses)
            model.zero_grad()
            total.backward()
        return total.detach()

    return Arms(lambda: step(ext), lambda: step(compiled))


def checked(name: str) -> Arms:
    both = step_arms(name)
    torch.testing.assert_close(both.ours(), both.peer(), rtol=1e-3, atol=0)
    return both


if COMPARABLE:
    bench('ops_step_mask_rcnn', 'mmcv, compiled', 0.9)(
        lambda: checked('mask_rcnn')
    )
    bench('ops_step_mask_rcnn_memory', 'mmcv, compiled', 1 / 1.2, unit='MB')(
        lambda: step_arms('mask_rcnn')
    )
    bench('ops_step_panoptic_fcn', 'mmcv, compiled', 0.8)(
        lambda: checked('panoptic_fcn')
    )
    bench(
        'ops_step_panoptic_fcn_memory', 'mmcv, compiled', 1 / 1.2, unit='MB'
    )(lambda: step_arms('panoptic_fcn'))
