"""Before the first iteration: data, model and checkpoint agree on classes."""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.runner.base_loop import BaseLoop

from mmseg_plugin.engine.checkpoint import kept_classes
from mmseg_plugin.utils.words import counted

PREFIX = 'mmseg_plugin.'
_TRAIN, _TEST = 'train_dataloader', 'test_dataloader'
_COUNTS = ('num_things_classes', 'num_stuff_classes')
# Heads whose number of classes is that of the data.
_HEADS = ('bbox_head', 'mask_head', 'decode_head')


def check_model(model: dict, names: Sequence[str]) -> None:
    """Compares the class counts of a model with the data's.

    Args:
        model: its config.
        names: of the classes of the training set.

    Raises:
        ValueError: naming both keys and both values.
    """
    said = f'train_dataloader has {counted(len(names), "class")}'
    for key, count in _counts(model, 'model'):
        if count != len(names):
            raise ValueError(f'{said}, {key} says {count}; make them agree')
    head = model.get('panoptic_head') or {}
    fusion = model.get('panoptic_fusion_head') or {}
    # In one order, so that the same config gets the same sentence.
    for name in _COUNTS:
        both = name in head and name in fusion
        if both and head[name] != fusion[name]:
            raise ValueError(
                f'model.panoptic_head.{name} is {head[name]}, '
                f'model.panoptic_fusion_head.{name} is {fusion[name]}; make '
                'them agree'
            )
    weights = (head.get('loss_cls') or {}).get('class_weight')
    if isinstance(weights, list | tuple) and len(weights) != len(names) + 1:
        raise ValueError(
            f'{said}, model.panoptic_head.loss_cls.class_weight has '
            f'{len(weights)} numbers; give one for each class and one for '
            'no object'
        )


def _counts(node: Any, path: str) -> Iterator[tuple[str, int]]:
    """Key and number of classes of every head that has one."""
    for key, value in node.items():
        place = f'{path}.{key}'
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, dict):
                continue
            if key in _HEADS and isinstance(part.get('num_classes'), int):
                yield f'{place}.num_classes', part['num_classes']
            if all(name in part for name in _COUNTS):
                total = sum(part[name] for name in _COUNTS)
                yield f'{place}.{" + ".join(_COUNTS)}', total
            elif key == 'roi_head':
                yield from _counts(part, place)


def check_same(train: Sequence[str], other: Sequence[str], key: str) -> None:
    """Compares the classes of the training set with another's.

    Args:
        train: names of its classes.
        other: those of ``key``.
        key: of the config.

    Raises:
        ValueError: naming both keys and both values.
    """
    if len(train) != len(other):
        raise ValueError(
            f'train_dataloader has {counted(len(train), "class")}, {key} '
            f'has {len(other)}; make metainfo of their data sets agree'
        )
    for place, (here, there) in enumerate(zip(train, other, strict=True)):
        if here != there:
            raise ValueError(
                f'class {place} of train_dataloader is {here!r}, of {key} '
                f'{there!r}; make metainfo of their data sets agree'
            )


def check_categories(data: Any, key: str) -> None:
    """Compares the categories that mmdet's COCO data set took.

    It gives labels in the order of the file, whatever order the metainfo
    has, and one to each category, whether names are shared or not.

    Args:
        data: a built data set.
        key: of the config.

    Raises:
        ValueError: a label would have another name than its category.
    """
    ids, names = getattr(data, 'cat_ids', None), data.metainfo.get('classes')
    usual = getattr(type(data), 'METAINFO', {}).get('classes')
    # Ours go by names; COCO's own file is in the order of its classes.
    ours = type(data).__module__.startswith(PREFIX)
    if not ids or not names or ours or names == usual:
        return
    with open(data.ann_file) as file:
        listed = json.load(file).get('categories', ())
    by_id = {c['id']: c['name'] for c in listed}
    found = [by_id.get(number) for number in ids]
    shared = [name for name, count in Counter(found).items() if count > 1]
    if shared:
        numbers = [c['id'] for c in listed if c['name'] == shared[0]]
        raise ValueError(
            f'{key}: {data.ann_file} has {len(numbers)} categories called '
            f'{shared[0]!r}, with the ids {", ".join(map(str, numbers))}: '
            'labels after them would be shifted; "mmseg-plugin check --fix" '
            'merges them'
        )
    check = zip(names, found, strict=False)
    for place, (name, category) in enumerate(check):
        if name != category:
            raise ValueError(
                f'{key}: class {place} of metainfo is {name!r}, of '
                f'{data.ann_file} {category!r}, and mmdet labels in the order '
                'of the file; put classes into that order, or take '
                'mmseg_plugin.CocoInstanceDataset'
            )
    if len(found) != len(names):
        lacking = sorted(set(names) - set(found))
        raise ValueError(
            f'{key}: {data.ann_file} has no category {", ".join(lacking)} of '
            'metainfo'
        )


def plain_data_set(data: Any) -> Any:
    """The first data set inside those that repeat or join others."""
    while True:
        inner = getattr(data, 'dataset', None)
        inner = inner or (getattr(data, 'datasets', None) or [None])[0]
        if inner is None:
            return data
        data = inner


class PreflightHook(Hook):
    """Refuses a run whose classes do not agree, before its first iteration.

    Compares the data sets with each other, with the annotation files, with
    the heads of the model, and with a checkpoint that is loaded. One that is
    resumed or tested must have the same classes; one that training only
    starts from may have others, but not the same in another order.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        classes = {}
        for key, data in _data_sets(runner):
            check_categories(data, key)
            classes[key] = data.metainfo.get('classes')
        train = classes.pop(_TRAIN, None)
        if not train or isinstance(train, str):
            return
        for key, names in classes.items():
            if names:
                check_same(train, names, key)
        check_model(runner.cfg.get('model') or {}, train)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        found = dict(_data_sets(runner))
        # A run that only tests may have built its training set too.
        key = _TEST if _TEST in found else next(iter(found), None)
        if key:
            names = found[key].metainfo.get('classes')
            check_checkpoint(names, checkpoint, runner._resume, key)


def _data_sets(runner: Runner) -> Iterator[tuple[str, Any]]:
    """Those that were built, the training set first, with their keys."""
    loops = {
        _TRAIN: runner._train_loop,
        'val_dataloader': runner._val_loop,
        _TEST: runner._test_loop,
    }
    for key, loop in loops.items():
        if isinstance(loop, BaseLoop):
            data = plain_data_set(loop.dataloader.dataset)
            if hasattr(data, 'metainfo'):
                yield key, data


def check_checkpoint(
    names: Sequence[str] | None,
    checkpoint: dict,
    resume: bool,
    key: str = _TRAIN,
) -> None:
    """Compares the classes of a data set with a checkpoint's.

    Args:
        names: of the data set, if it has any.
        checkpoint: as it was loaded.
        resume: whether the run goes on, or only starts from it.
        key: of the data set; whatever does not train needs the same classes.

    Raises:
        ValueError: naming both.
    """
    there = kept_classes(checkpoint)
    if not names or not there or tuple(names) == tuple(there):
        return
    said = _difference(key, names, there)
    if resume:
        raise ValueError(f'resume: {said}; resume with the same data')
    if sorted(names) == sorted(there):
        raise ValueError(
            f'load_from: {said}; put classes into the order of the checkpoint'
        )
    if key != _TRAIN:
        raise ValueError(
            f'load_from: {said}; take the config of the training run, or set '
            'metainfo.classes'
        )
    print_log(
        f'load_from: {said}; weights whose size is the number of classes '
        'start at random. "mmseg-plugin fit_checkpoint" keeps classes of the '
        'same names',
        'current',
    )


def _difference(key: str, here: Sequence[str], there: Sequence[str]) -> str:
    if len(here) != len(there):
        return (
            f'{key} has {counted(len(here), "class")} ({here[0]}, '
            f'...), the checkpoint {len(there)} ({there[0]}, ...)'
        )
    pairs = enumerate(zip(here, there, strict=True))
    place, (one, other) = next((i, p) for i, p in pairs if p[0] != p[1])
    return f'class {place} of {key} is {one!r}, of the checkpoint {other!r}'


def register_preflight() -> None:
    """Every runner of a model of ours gets the hook.

    Whatever starts it: the configs that inherit mmdet's runtime have no
    hooks of ours to name.
    """
    register = Runner.register_hooks
    if hasattr(register, '__wrapped__'):
        return

    @functools.wraps(register)
    def with_preflight(self: Runner, *args: Any, **kwargs: Any) -> None:
        register(self, *args, **kwargs)
        if PREFIX in str(self.cfg.get('model') or {}):
            self.register_hook(PreflightHook())

    Runner.register_hooks = with_preflight  # type: ignore[method-assign]
