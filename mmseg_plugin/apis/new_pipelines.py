"""At what scale images are trained and tested, and in what crops."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .data_facts import DataFacts
from .new_bases import SMALL

# Longer side of an image, in pixels: on a CPU, and as published.
CPU_SIDE = 512
PUBLISHED_SIDE = 1024
# The median object is kept at least this large, if it is: four cells of the
# finest feature map.
OBJECT_SIDE = 16


@dataclass(frozen=True)
class Scale:
    """How images are made smaller, if they are.

    Attributes:
        side: of the resized image or of the crop, in pixels.
        factor: by which every image is resized; None: to ``side``.
        crop: whether crops of ``side`` are trained on.
    """

    side: int
    factor: float | None = None
    crop: bool = False

    def sentence(self) -> str:
        parts = []
        if self.factor is None:
            parts.append(f'images at most {self.side} px long')
        elif self.factor != 1:
            parts.append(f'images at {self.factor:.2g} of their size')
        else:
            parts.append('images at their own size')
        if self.crop:
            parts.append(f'trained in crops of {self.side} px')
        return ', '.join(parts)


def _cells(side: float) -> int:
    return 32 * math.ceil(side / 32)


def choose_scale(facts: DataFacts, size: str) -> Scale | None:
    """The scale of images; None: that of the published recipe.

    Small models see at most 512 pixels. Larger images are shrunk, but not
    so far that the median object is less than 16 pixels across: then crops
    are trained on.
    """
    if size not in SMALL:
        if 2 * facts.usual_side >= PUBLISHED_SIDE:
            return None
        # Enlarged twice at most: there is no more to see.
        return Scale(_cells(2 * facts.usual_side), crop=True)
    if facts.usual_side <= CPU_SIDE:
        crop = facts.longest_side > facts.usual_side
        return Scale(_cells(facts.usual_side), 1.0, crop)
    shrunk = facts.object_side * CPU_SIDE / facts.usual_side
    if facts.object_side and shrunk < OBJECT_SIDE:
        factor = min(1.0, OBJECT_SIDE / facts.object_side)
        return Scale(CPU_SIDE, round(factor, 3), True)
    return Scale(CPU_SIDE)


def pipeline_lines(
    facts: DataFacts, scale: Scale | None, size: str
) -> list[str]:
    """Statements that define ``train_pipeline`` and ``test_pipeline``."""
    if scale is None:
        return _published_lines(facts)
    semantic = facts.kind == 'semantic'
    scope = 'mmseg' if semantic else 'mmdet'
    pack = 'PackSegInputs' if semantic else 'PackDetInputs'
    # mmseg's inferencers know it by its bare name.
    kind = 'Resize' if semantic else 'mmdet.Resize'
    flip = 'RandomFlip' if semantic else 'mmdet.RandomFlip'
    where = f'scale=({scale.side}, {scale.side}), keep_ratio=True'
    if scale.factor is not None:
        where = f'scale_factor={scale.factor}'
    crop = (
        f"dict(type='{scope}.RandomCrop', crop_size=({scale.side}, "
        f'{scale.side})), '
    )
    resize = 'resize'
    if size not in SMALL:
        resize = (
            f"dict(type='RandomResize', resize_type='{kind}', {where}, "
            'ratio_range=(0.5, 2.0))'
        )
    return [
        "load, pack = dict(type='LoadImageFromFile'), "
        f"dict(type='{scope}.{pack}')",
        f"resize = dict(type='{kind}', {where})",
        f'train_pipeline = [load, {_labels(facts)}, {resize}, '
        f"{crop if scale.crop else ''}dict(type='{flip}', prob=0.5), pack]",
        _test_line(facts),
    ]


def _test_line(facts: DataFacts) -> str:
    if facts.kind == 'semantic':
        # Behind the resize, so that results are compared at full size;
        # mmseg's inferencers drop it by its bare name.
        labels = "dict(type='LoadAnnotations')"
        return f'test_pipeline = [load, resize, {labels}, pack]'
    return 'test_pipeline = [load, resize, pack]'


def _labels(facts: DataFacts) -> str:
    if facts.kind == 'panoptic':
        return "dict(type='mmseg_plugin.LoadPanopticAnnotations')"
    if facts.kind == 'semantic':
        return "dict(type='mmseg.LoadAnnotations')"
    return "dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True)"


def _published_lines(facts: DataFacts) -> list[str]:
    """The recipe's own, without what depends on its data set."""
    if facts.kind != 'semantic':
        return []
    # ADE20K calls 0 void; here it is a class.
    return [
        'train_pipeline, test_pipeline = _base_.train_pipeline, '
        '_base_.test_pipeline',
        "train_pipeline[1]['reduce_zero_label'] = "
        "test_pipeline[2]['reduce_zero_label'] = False",
    ]
