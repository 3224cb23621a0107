"""How an image becomes the input of a network, as data."""

from typing import Any, NamedTuple

import mmcv
import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from torch import Tensor

from mmseg_plugin.apis.predictor import image_pipeline
from mmseg_plugin.cli.cli import UserError


class Recipe(NamedTuple):
    """Steps from the pixels of an image file to a network's input.

    Attributes:
        resize: None or how, bilinear without antialiasing.
            ``{'scale': [a, b]}``: the longer side at most the larger, the
            shorter at most the smaller number. ``{'fit': [h, w]}``: height
            and width at most those. ``{'fixed': [h, w]}``.
            ``{'factor': f}``. ``{'shortest': s, 'longest': l}``.
        mean: of each channel, values 0 to 255.
        std: the same.
        channels: ``'rgb'`` or ``'bgr'``, the order that the network takes.
        divisor: sides are padded to a multiple of it, right and bottom.
        pad_value: what is padded with, after normalisation.
        size: [h, w] of the input, if it is fixed.
        rounded: whether resized pixels are whole numbers; they are not
            where a config loads images as floating point numbers.
    """

    resize: dict[str, Any] | None
    mean: list[float]
    std: list[float]
    channels: str
    divisor: int
    pad_value: float
    size: list[int] | None
    rounded: bool = True

    def target(self, size: Tensor) -> Tensor:
        """Height and width after resizing, int64 (2,), of those before."""
        size = size.double()
        if self.resize is None:
            return size.long()
        if 'fixed' in self.resize:
            return torch.tensor(self.resize['fixed'])
        if 'factor' in self.resize:
            factor = torch.tensor(self.resize['factor']).double()
        elif 'fit' in self.resize:
            factor = (torch.tensor(self.resize['fit']) / size).amin()
        elif 'scale' in self.resize:
            low, high = sorted(self.resize['scale'])
            factor = torch.minimum(high / size.amax(), low / size.amin())
        else:
            factor = self.resize['shortest'] / size.amin()
            limit = self.resize['longest'] / size.amax()
            factor = torch.minimum(factor, limit)
        return (size * factor + 0.5).long()

    def prepare(self, image: np.ndarray) -> tuple[Tensor, tuple[int, int]]:
        """The network's input (1, 3, H, W) and the image's size in it.

        Args:
            image: BGR, uint8 (h, w, 3).
        """
        height, width = self.target(torch.tensor(image.shape[:2])).tolist()
        if self.resize is not None and (height, width) != image.shape[:2]:
            if not self.rounded:
                image = image.astype(np.float32)
            image = mmcv.imresize(image, (width, height))
        pixels = torch.from_numpy(np.ascontiguousarray(image))
        inputs = self.normalise(pixels.permute(2, 0, 1)[None].float(), 'bgr')
        return self.pad(inputs), (height, width)

    def normalise(self, pixels: Tensor, channels: str) -> Tensor:
        """Orders and normalises channels (B, 3, h, w).

        Args:
            pixels: 0 to 255.
            channels: their order.
        """
        if channels != self.channels:
            pixels = torch.cat(pixels.split(1, 1)[::-1], 1)
        mean, std = (
            torch.tensor(values).view(1, -1, 1, 1)
            for values in (self.mean, self.std)
        )
        return (pixels - mean) / std

    def pad(self, pixels: Tensor) -> Tensor:
        """Pads (B, 3, h, w) to what the network takes."""
        height, width = pixels.shape[-2:]
        if self.size is not None:
            full = self.size
        elif self.divisor > 1:
            full = [
                (side + self.divisor - 1) // self.divisor * self.divisor
                for side in (height, width)
            ]
        else:
            return pixels
        border = (0, full[1] - width, 0, full[0] - height)
        return F.pad(pixels, border, value=self.pad_value)


def read_recipe(config: Config, size: tuple[int, int] | None) -> Recipe:
    """The recipe of a config's test pipeline and preprocessor.

    Args:
        config: of the model.
        size: height and width of a fixed input; images are shrunk to fit
            and padded. None keeps the pipeline's sizes.

    Raises:
        UserError: a step cannot be written down.
    """
    load, *steps = image_pipeline(config)
    if _name(load) != 'LoadImageFromFile':
        raise UserError(
            f'test pipeline: {_name(load)} cannot be exported; only '
            'LoadImageFromFile can'
        )
    resize = None
    for step in steps:
        if _name(step).startswith('Pack'):
            break
        if resize is not None:
            raise UserError(
                f'test pipeline: {_name(step)} after a resize cannot be '
                'exported'
            )
        resize = _resize(step)
    if resize == {'factor': 1.0}:
        resize = None
    known = config.model.data_preprocessor
    divisor, pad_value = _padding(known)
    if size is not None:
        resize = {'fit': list(size)}
        if any(side % divisor for side in size):
            raise UserError(
                f'--size must be multiples of {divisor}, which the model '
                f'pads images to, got {size[0]} {size[1]}'
            )
    flipped = known.get('bgr_to_rgb', False) or known.get('rgb_to_bgr', False)
    return Recipe(
        resize,
        list(map(float, known.get('mean') or [0.0] * 3)),
        list(map(float, known.get('std') or [1.0] * 3)),
        'rgb' if flipped else 'bgr',
        divisor,
        pad_value,
        None if size is None else list(size),
        rounded=not load.get('to_float32', False),
    )


def _name(step: dict) -> str:
    kind = step['type']
    return (kind if isinstance(kind, str) else kind.__name__).split('.')[-1]


def _resize(step: dict) -> dict[str, Any]:
    name = _name(step)
    if step.get('interpolation', 'bilinear') != 'bilinear':
        raise UserError(f'test pipeline: {name} must be bilinear for export')
    if name == 'ResizeShortestEdge':
        short = step['scale']
        short = short if isinstance(short, int) else min(short)
        return {'shortest': short, 'longest': step['max_size']}
    if name == 'Resize':
        if step.get('scale_factor') is not None:
            return {'factor': float(step['scale_factor'])}
        if step.get('keep_ratio'):
            return {'scale': list(step['scale'])}
        width, height = step['scale']
        return {'fixed': [height, width]}
    raise UserError(
        f'test pipeline: {name} cannot be exported; Resize and '
        'ResizeShortestEdge can'
    )


def _padding(known: dict) -> tuple[int, float]:
    """Divisor of the sides, and what is padded with, of a preprocessor."""
    if known['type'].endswith('SegDataPreProcessor'):
        test = known.get('test_cfg') or {}
        if test.get('size') is not None:
            raise UserError(
                'model.data_preprocessor.test_cfg.size cannot be exported; '
                'give --size'
            )
        return test.get('size_divisor') or 1, float(known.get('pad_val', 0))
    return (
        known.get('pad_size_divisor', 1),
        float(known.get('pad_value', 0)),
    )
