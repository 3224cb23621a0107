"""The statements of a config for a data set."""

from __future__ import annotations

import math
from typing import Any

from mmseg_plugin.cli.configs import find_config

from .data_facts import DataFacts
from .new_config import Choice, interval, steps_an_epoch
from .new_pipelines import pipeline_lines

_DATASETS = {
    'instances': 'CocoInstanceDataset',
    'panoptic': 'CocoPanopticDataset',
    'semantic': 'LabelMapDataset',
}
_METRICS = {
    'instances': 'coco/segm_mAP',
    'panoptic': 'coco_panoptic/PQ',
    'semantic': 'mIoU',
}
# Results an image, beyond the objects of the densest one.
MARGIN = 1.3


def config_text(facts: DataFacts, made: Choice) -> str:
    """The config as a file.

    Args:
        facts: of the data.
        made: from ``choose``; what else is decided goes to its ``why``.
    """
    lines = [
        f'"""{made.base}, for {facts.root.name}."""',
        '',
        f'_base_ = {str(find_config(made.base))!r}',
        f'root = {str(facts.root.resolve()) + "/"!r}',
        _data_line(facts),
        *_model_lines(facts, made),
        *pipeline_lines(facts, made.scale, made.size),
        *_loader_lines(facts, made),
        *_evaluator_lines(facts),
        *_schedule_lines(facts, made),
        *([f'load_from = {made.load_from!r}'] if made.load_from else []),
    ]
    return '\n'.join(lines) + '\n'


def _data_line(facts: DataFacts) -> str:
    names = f'classes={facts.things + facts.stuff!r}'
    if facts.kind == 'panoptic':
        names += (
            f', thing_classes={facts.things!r}, stuff_classes={facts.stuff!r}'
        )
    meta = f'dict(_delete_=True, {names})'
    # They match classes by name, in whatever order the file has them.
    kind = _DATASETS[facts.kind]
    delete = '_delete_=True, ' if facts.kind == 'semantic' else ''
    meta = meta.replace('_delete_=True, ', '') if delete else meta
    return (
        f"data = dict({delete}type='mmseg_plugin.{kind}', data_root=root, "
        f'metainfo={meta})'
    )


def _model_lines(facts: DataFacts, made: Choice) -> list[str]:
    model: Any = made.config.model
    backbone = ''
    if made.weights:
        backbone = (
            'backbone=dict(init_cfg=dict(_delete_=True, '
            f"type='Pretrained', checkpoint={made.weights!r})), "
        )
    elif made.load_from:
        # The file has the whole model: nothing else is fetched.
        backbone = 'backbone=dict(init_cfg=None), '
    most = 10 * math.ceil(MARGIN * facts.densest / 10)
    if 'decode_head' in model:
        return [
            f'model = dict({backbone}decode_head=dict('
            f'num_classes={len(facts.things)}))'
        ]
    if 'roi_head' in model:
        return _roi_lines(facts, model, backbone, most, made)
    return _query_lines(facts, model, backbone, most, made)


def _roi_lines(
    facts: DataFacts, model: Any, backbone: str, most: int, made: Choice
) -> list[str]:
    found = model.test_cfg.rcnn.max_per_img
    test = ''
    if most > found:
        # Of every object several proposals.
        boxes = max(2 * most, model.test_cfg.rpn.max_per_img)
        test = (
            f', test_cfg=dict(rpn=dict(nms_pre={2 * boxes}, '
            f'max_per_img={boxes}), rcnn=dict(max_per_img={most}))'
        )
        made.why.append(
            f'{most} results an image: the densest one has {facts.densest}'
        )
    return [
        f'classes = dict(num_classes={len(facts.things)})',
        f'model = dict({backbone}roi_head=dict(bbox_head=classes, '
        f'mask_head=classes){test})',
    ]


def _query_lines(
    facts: DataFacts, model: Any, backbone: str, most: int, made: Choice
) -> list[str]:
    extra = test = ''
    head = model.panoptic_head
    if queries := head.get('num_queries'):
        needed = max(queries, most)
        extra += f', num_queries={needed}'
        made.why.append(
            f'{needed} queries: the densest image has {facts.densest}'
        )
        if most > (model.test_cfg.get('max_per_image') or 100):
            test = f', test_cfg=dict(max_per_image={most})'
    weights = (head.get('loss_cls') or {}).get('class_weight')
    if isinstance(weights, list):
        count = len(facts.things) + len(facts.stuff)
        weight = f'[1.0] * {count} + [{weights[-1]}]'
        extra += f', loss_cls=dict(class_weight={weight})'
    return [
        f'classes = dict(num_things_classes={len(facts.things)}, '
        f'num_stuff_classes={len(facts.stuff)})',
        f'model = dict({backbone}panoptic_head=dict(classes{extra}), '
        f'panoptic_fusion_head=classes{test})',
    ]


def _loader_lines(facts: DataFacts, made: Choice) -> list[str]:
    lines = []
    for name, split in (('train', facts.train), ('val', facts.val)):
        prefix = f'img={split.image_dir!r}'
        if facts.kind == 'panoptic':
            prefix += f', seg={split.seg_dir!r}'
        if facts.kind == 'semantic':
            prefix = (
                f'img_path={split.image_dir!r}, seg_map_path={split.seg_dir!r}'
            )
        pipeline = f', pipeline={"test" if name == "val" else name}_pipeline'
        if made.scale is None and facts.kind != 'semantic':
            pipeline = ''
        batch = f'batch_size={made.batch}, ' if name == 'train' else ''
        sampler = made.config.train_dataloader.get('sampler') or {}
        if name == 'train' and sampler.get('type') == 'InfiniteSampler':
            # An epoch ends.
            batch += (
                "sampler=dict(_delete_=True, type='DefaultSampler', "
                'shuffle=True), '
            )
        names = f'{name}_dataloader'
        if name == 'val':
            names += ' = test_dataloader'
        lines.append(
            f'{names} = dict({batch}dataset=dict(data, '
            f'ann_file={split.ann_file!r}, '
            f'data_prefix=dict({prefix}){pipeline}))'
        )
    return lines


def _evaluator_lines(facts: DataFacts) -> list[str]:
    if facts.kind == 'semantic':
        return []
    ann_file = f'root + {facts.val.ann_file!r}'
    kind = "type='mmseg_plugin.CocoInstanceMetric', metric=['bbox', 'segm']"
    if facts.kind == 'panoptic':
        kind = (
            "type='mmseg_plugin.CocoPanopticMetric', "
            f'seg_prefix=root + {facts.val.seg_dir!r}'
        )
    return [
        'val_evaluator = test_evaluator = dict(_delete_=True, '
        f'{kind}, ann_file={ann_file})',
    ]


def _schedule_lines(facts: DataFacts, made: Choice) -> list[str]:
    total = steps_an_epoch(facts, made.batch) * made.epochs
    every = interval(made)
    metric = _METRICS[facts.kind]
    best = f"'{metric}', rule='greater'"
    momentum = min(0.1, max(0.0002, 10 / total))
    return [
        "train_cfg = dict(_delete_=True, type='EpochBasedTrainLoop', "
        f'max_epochs={made.epochs}, val_interval={every})',
        f'optim_wrapper = dict(optimizer=dict(lr={made.lr:.3g}))',
        "param_scheduler = [dict(type='LinearLR', start_factor=0.05, "
        f'by_epoch=False, end={1 + max(1, min(100, total // 10))}), '
        "dict(type='CosineAnnealingLR', "
        f'T_max={made.epochs}, convert_to_iter_based=True)]',
        'log_processor = dict(by_epoch=True)',
        # The last iterations of an epoch are logged, however few.
        'default_hooks = dict(logger=dict(log_metric_by_epoch=True, '
        'ignore_last=False), '
        f'checkpoint=dict(by_epoch=True, interval={every}, '
        f'max_keep_ckpts=2, save_best={best}))',
        'custom_hooks = []',
        '# Averaged weights. Without this line: off.',
        "custom_hooks += [dict(type='EMAHook', "
        f'momentum={momentum:.3g}, update_buffers=True)]',
        '# Stops when nothing improves. Without this line: off.',
        "custom_hooks += [dict(type='EarlyStoppingHook', "
        f'monitor={best}, patience=5)]',
        '# To keep no best checkpoint, put this line in:',
        "# default_hooks['checkpoint']['save_best'] = None",
    ]
