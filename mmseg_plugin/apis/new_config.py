"""Writes the config of a data set: what `new` and `train DATA` choose."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import find_config, read_config

if TYPE_CHECKING:
    from mmengine.config import Config

MODELS = ('maskdino', 'mask2former', 'maskformer', 'panoptic-fcn', 'mask-rcnn')
SIZES = ('tiny', 'mobilenetv2', 'r50', 'swin-t', 'swin-l')
_SWIN_L = 'swin-l-p4-w12-384-in21k_16xb1-lsj'
# Shipped configs whose model and schedule are taken.
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
}
_DATASETS = {
    'instances': 'CocoInstanceDataset',
    'panoptic': 'CocoPanopticDataset',
}
# Longest side of an image on a CPU, in pixels.
CPU_SIDE = 512
PUBLISHED_BATCH = 16
GIB = 2**30


@dataclass(frozen=True)
class SplitFacts:
    """One split, relative to the root.

    Attributes:
        ann_file: JSON of COCO.
        image_dir: of the images, ``''`` for the root itself.
        seg_dir: of panoptic maps.
    """

    ann_file: str
    image_dir: str
    seg_dir: str = ''


@dataclass(frozen=True)
class DataFacts:
    """What a config is chosen from.

    Attributes:
        root: folder of the data.
        kind: ``'instances'`` or ``'panoptic'``.
        things: names of the classes of objects, in the order of the file.
        stuff: names of the classes of regions.
        images: how many are trained on.
        densest: objects, or segments, of the fullest image.
        longest_side: of the largest image, in pixels.
        train: the training split.
        val: the validation split.
    """

    root: Path
    kind: str
    things: tuple[str, ...]
    stuff: tuple[str, ...]
    images: int
    densest: int
    longest_side: int
    train: SplitFacts
    val: SplitFacts


@dataclass
class Choice:
    """A config in the making.

    Attributes:
        base: name of the shipped config.
        batch: images a step.
        epochs: times that each image is seen.
        lr: peak learning rate.
        why: what was chosen, in sentences.
    """

    base: str
    size: str
    batch: int
    epochs: int
    lr: float
    config: Config
    why: list[str] = field(default_factory=list)


def fitting_size() -> tuple[str, str]:
    """The size for this machine, and why."""
    if not torch.cuda.is_available():
        return 'tiny', 'there is no GPU'
    memory = torch.cuda.get_device_properties(0).total_memory / GIB
    said = f'the GPU has {memory:.0f} GiB'
    return ('r50' if memory >= 15 else 'mobilenetv2'), said


def choose_base(kind: str, model: str, size: str | None) -> tuple[str, str]:
    """Size and shipped config for a task and a model.

    Raises:
        UserError: there is none; the message lists what there is.
    """
    if kind not in BASES:
        raise UserError(
            f'there is no config for {kind} data here yet; start from '
            'mask2former_tiny_demo_scenes-semantic'
        )
    table = BASES[kind]
    sizes = [s for s in SIZES if (model, s) in table]
    if not sizes:
        there = ', '.join(sorted({name for name, _ in table}))
        raise UserError(f'{model} is not for {kind} data; there are: {there}')
    wanted = size or fitting_size()[0]
    if wanted not in sizes and size is None:
        wanted = sizes[0]
    if wanted not in sizes:
        raise UserError(
            f'{model} for {kind} data has no size {size}; there are: '
            f'{", ".join(sizes)}'
        )
    return wanted, table[model, wanted]


def choose(
    facts: DataFacts,
    model: str = 'maskdino',
    size: str | None = None,
    epochs: int | None = None,
    batch: int | None = None,
) -> Choice:
    """Chooses model, batch, epochs and learning rate.

    Args:
        facts: of the data.
        model: one of :data:`MODELS`.
        size: one of :data:`SIZES`; None: what fits the machine.
        epochs: None: from the number of images.
        batch: None: by the size.

    Raises:
        UserError: see :func:`choose_base`.
    """
    chosen, base = choose_base(facts.kind, model, size)
    config = read_config(find_config(base))
    small = chosen in ('tiny', 'mobilenetv2')
    usual = 4 if small else 2
    images_a_step = max(1, min(batch or usual, facts.images))
    steps = math.ceil(facts.images / images_a_step)
    total = 1500 if small else 5000
    rounds = epochs or min(300, max(3, math.ceil(total / steps)))
    base_batch = PUBLISHED_BATCH
    if small:
        base_batch = config.train_dataloader.batch_size
    lr = config.optim_wrapper.optimizer.lr * images_a_step / base_batch
    made = Choice(base, chosen, images_a_step, rounds, lr, config)
    if size is None:
        made.why.append(f'size {chosen}: {fitting_size()[1]}')
    made.why += [
        f'{facts.images} images / batch {images_a_step} = {steps} iterations '
        f'an epoch; {rounds} epochs = {rounds * steps} iterations',
        f'learning rate {lr:.2g}: that of {base}, scaled to the batch',
    ]
    return made


def _model_lines(facts: DataFacts, made: Choice) -> list[str]:
    model: Any = made.config.model
    if 'roi_head' in model:
        return [
            f'classes = dict(num_classes={len(facts.things)})',
            'model = dict(roi_head=dict(bbox_head=classes, '
            'mask_head=classes))',
        ]
    extra = ''
    if queries := model.panoptic_head.get('num_queries'):
        needed = max(queries, 10 * math.ceil(0.13 * facts.densest))
        extra += f', num_queries={needed}'
        made.why.append(
            f'{needed} queries: the densest image has {facts.densest}'
        )
    weights = (model.panoptic_head.get('loss_cls') or {}).get('class_weight')
    if isinstance(weights, list):
        count = len(facts.things) + len(facts.stuff)
        weight = f'[1.0] * {count} + [{weights[-1]}]'
        extra += f', loss_cls=dict(class_weight={weight})'
    return [
        f'classes = dict(num_things_classes={len(facts.things)}, '
        f'num_stuff_classes={len(facts.stuff)})',
        f'model = dict(panoptic_head=dict(classes{extra}), '
        'panoptic_fusion_head=classes)',
    ]


def _data_line(facts: DataFacts) -> str:
    names = f'classes={facts.things + facts.stuff!r}'
    if facts.kind == 'panoptic':
        names += (
            f', thing_classes={facts.things!r}, stuff_classes={facts.stuff!r}'
        )
    meta = f'dict(_delete_=True, {names})'
    # They match classes by name, in whatever order the file has them.
    kind = _DATASETS[facts.kind]
    return (
        f"data = dict(type='mmseg_plugin.{kind}', data_root=root, "
        f'metainfo={meta})'
    )


def _pipeline_lines(facts: DataFacts, made: Choice) -> list[str]:
    """Small models see images of at most 512 px; others as published."""
    if made.size not in ('tiny', 'mobilenetv2'):
        return []
    side = min(CPU_SIDE, 32 * math.ceil(facts.longest_side / 32))
    made.why.append(f'images at most {side} px long')
    labels = (
        "dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True)"
    )
    if facts.kind == 'panoptic':
        labels = "dict(type='mmseg_plugin.LoadPanopticAnnotations')"
    return [
        "load, pack = dict(type='LoadImageFromFile'), "
        "dict(type='mmdet.PackDetInputs')",
        f"resize = dict(type='mmdet.Resize', scale=({side}, {side}), "
        'keep_ratio=True)',
        f'train_pipeline = [load, {labels}, resize, '
        "dict(type='mmdet.RandomFlip', prob=0.5), pack]",
        'test_pipeline = [load, resize, pack]',
    ]


def _loader_lines(facts: DataFacts, made: Choice) -> list[str]:
    lines = []
    for name, split in (('train', facts.train), ('val', facts.val)):
        prefix = f'img={split.image_dir!r}'
        if facts.kind == 'panoptic':
            prefix += f', seg={split.seg_dir!r}'
        pipeline = f', pipeline={"test" if name == "val" else name}_pipeline'
        if made.size not in ('tiny', 'mobilenetv2'):
            pipeline = ''
        batch = f'batch_size={made.batch}, ' if name == 'train' else ''
        lines.append(
            f'{name}_dataloader = dict({batch}dataset=dict(data, '
            f'ann_file={split.ann_file!r}, '
            f'data_prefix=dict({prefix}){pipeline}))'
        )
    return [*lines, 'test_dataloader = val_dataloader']


def _evaluator_lines(facts: DataFacts) -> list[str]:
    ann_file = f'root + {facts.val.ann_file!r}'
    kind = "type='mmdet.CocoMetric', metric=['bbox', 'segm']"
    if facts.kind == 'panoptic':
        kind = (
            "type='mmseg_plugin.CocoPanopticMetric', "
            f'seg_prefix=root + {facts.val.seg_dir!r}'
        )
    return [
        f'val_evaluator = dict(_delete_=True, {kind}, ann_file={ann_file})',
        'test_evaluator = val_evaluator',
    ]


def _schedule_lines(facts: DataFacts, made: Choice) -> list[str]:
    steps = math.ceil(facts.images / made.batch)
    total = steps * made.epochs
    every = max(1, made.epochs // 10)
    metric = 'coco/segm_mAP'
    if facts.kind == 'panoptic':
        metric = 'coco_panoptic/PQ'
    momentum = min(0.1, max(0.0002, 10 / total))
    return [
        "train_cfg = dict(_delete_=True, type='EpochBasedTrainLoop', "
        f'max_epochs={made.epochs}, val_interval={every})',
        f'optim_wrapper = dict(optimizer=dict(lr={made.lr:.3g}))',
        "param_scheduler = [dict(type='LinearLR', start_factor=0.05, "
        f'by_epoch=False, end={max(1, min(100, total // 10))}), '
        "dict(type='CosineAnnealingLR', "
        f'T_max={made.epochs}, convert_to_iter_based=True)]',
        '# save_best: the best checkpoint; the two hooks below: averaged '
        'weights, early stop.',
        'default_hooks = dict(checkpoint=dict(by_epoch=True, '
        f"interval={every}, max_keep_ckpts=2, save_best='{metric}', "
        "rule='greater'))",
        f"custom_hooks = [dict(type='EMAHook', momentum={momentum:.3g}, "
        "update_buffers=True), dict(type='EarlyStoppingHook', "
        f"monitor='{metric}', rule='greater', patience=5)]",
        'log_processor = dict(by_epoch=True)',
    ]


def config_text(facts: DataFacts, made: Choice) -> str:
    """The config as a file.

    Args:
        facts: of the data.
        made: from :func:`choose`; what else is decided goes to its ``why``.
    """
    lines = [
        f'"""{made.base}, for {facts.root.name}."""',
        '',
        f'_base_ = {str(find_config(made.base))!r}',
        f'root = {str(facts.root.resolve()) + "/"!r}',
        _data_line(facts),
        *_model_lines(facts, made),
        *_pipeline_lines(facts, made),
        *_loader_lines(facts, made),
        *_evaluator_lines(facts),
        *_schedule_lines(facts, made),
    ]
    return '\n'.join(lines) + '\n'
