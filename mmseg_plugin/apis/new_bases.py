"""The shipped configs that `new` starts from."""

from __future__ import annotations

import torch

from mmseg_plugin.cli.cli import UserError

MODELS = ('maskdino', 'mask2former', 'maskformer', 'panoptic-fcn', 'mask-rcnn')
SIZES = ('tiny', 'mobilenetv2', 'r50', 'swin-t', 'swin-l')
# Sizes whose schedules are for minutes on a CPU.
SMALL = ('tiny', 'mobilenetv2')
_SWIN_L = 'swin-l-p4-w12-384-in21k_16xb1-lsj'
BASES = {
    'instances': {
        ('maskdino', 'tiny'): 'maskdino_tiny_demo_scenes',
        ('maskdino', 'mobilenetv2'): 'maskdino_mobilenetv2_coco-small',
        ('maskdino', 'r50'): 'maskdino_r50_8xb2-lsj-12e_coco',
        ('maskdino', 'swin-l'): f'maskdino_{_SWIN_L}-50e_coco',
        ('mask2former', 'r50'): 'mask2former_r50_8xb2-lsj-50e_coco',
        ('mask2former', 'swin-t'): (
            'mask2former_swin-t-p4-w7-224_8xb2-lsj-50e_coco'
        ),
        ('mask2former', 'swin-l'): f'mask2former_{_SWIN_L}-100e_coco',
        ('mask-rcnn', 'tiny'): 'mask-rcnn_tiny_fpn_demo_scenes',
        ('mask-rcnn', 'mobilenetv2'): (
            'mask-rcnn_mobilenetv2_fpn_bce_coco-small'
        ),
        ('mask-rcnn', 'r50'): 'mask-rcnn_r50_fpn_bce_1x_coco',
    },
    'panoptic': {
        ('maskdino', 'tiny'): 'maskdino_tiny_demo_scenes-panoptic',
        ('maskdino', 'mobilenetv2'): (
            'maskdino_mobilenetv2_coco-panoptic-small'
        ),
        ('maskdino', 'r50'): 'maskdino_r50_8xb2-lsj-12e_coco-panoptic',
        ('maskdino', 'swin-l'): f'maskdino_{_SWIN_L}-50e_coco-panoptic',
        ('mask2former', 'tiny'): 'mask2former_tiny_demo_scenes-panoptic',
        ('mask2former', 'mobilenetv2'): (
            'mask2former_mobilenetv2_coco-panoptic-small'
        ),
        ('mask2former', 'r50'): 'mask2former_r50_8xb2-lsj-50e_coco-panoptic',
        ('mask2former', 'swin-t'): (
            'mask2former_swin-t-p4-w7-224_8xb2-lsj-50e_coco-panoptic'
        ),
        ('mask2former', 'swin-l'): (
            f'mask2former_{_SWIN_L}-100e_coco-panoptic'
        ),
        ('maskformer', 'r50'): 'maskformer_r50_ms-16xb1-75e_coco-panoptic',
        ('panoptic-fcn', 'tiny'): 'panoptic-fcn_tiny_demo_scenes',
    },
    'semantic': {
        ('mask2former', 'tiny'): 'mask2former_tiny_demo_scenes-semantic',
        ('mask2former', 'r50'): 'mask2former_r50_8xb2-160k_ade20k-512x512',
        ('maskformer', 'r50'): 'maskformer_r50_8xb2-160k_ade20k-512x512',
        ('maskdino', 'r50'): 'maskdino_r50_8xb2-160k_ade20k-512x512',
    },
}
GIB = 2**30
# Of GPU memory, for a ResNet-50 and crops of 1024 pixels.
R50_GIB = 15


def fitting_model(kind: str) -> tuple[str, str]:
    """The model for this machine and task, and why."""
    if kind == 'semantic':
        return 'mask2former', 'the usual choice for semantic data'
    if kind == 'instances' and not torch.cuda.is_available():
        return 'mask-rcnn', 'without a GPU it learns in the fewest minutes'
    return 'maskdino', 'the most accurate of the models here'


def fitting_size(weights: bool) -> tuple[str, str]:
    """The size for this machine, and why.

    Args:
        weights: whether those of a backbone are given.
    """
    if not torch.cuda.is_available():
        if weights:
            return 'mobilenetv2', 'there is no GPU, but backbone weights'
        return 'tiny', 'there is no GPU'
    memory = torch.cuda.get_device_properties(0).total_memory / GIB
    said = f'the GPU has {memory:.0f} GiB'
    return ('r50' if memory >= R50_GIB else 'mobilenetv2'), said


def choose_base(
    kind: str, model: str, size: str | None, weights: bool = False
) -> tuple[str, str]:
    """Size and shipped config for a task and a model.

    Raises:
        UserError: there is none; the message lists what there is.
    """
    table = BASES[kind]
    sizes = [s for s in SIZES if (model, s) in table]
    if not sizes:
        there = ', '.join(sorted({name for name, _ in table}))
        raise UserError(f'{model} is not for {kind} data; there are: {there}')
    wanted = size or fitting_size(weights)[0]
    if wanted not in sizes and size is None:
        wanted = sizes[0]
    if wanted not in sizes:
        raise UserError(
            f'{model} for {kind} data has no size {size}; there are: '
            f'{", ".join(sizes)}'
        )
    return wanted, table[model, wanted]
