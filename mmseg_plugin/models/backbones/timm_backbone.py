"""Any backbone of timm by its name."""

import math
import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from mmseg_plugin.models.layers.simple_feature_pyramid import (
    SimpleFeaturePyramid,
)
from mmseg_plugin.registry import MODELS

# Images padded to multiples of more would be mostly padding.
_MOST = 512


def _timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise ImportError(
            f'TimmBackbone needs timm, which cannot be imported ({error}): '
            'pip install timm'
        ) from None
    return timm


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """A feature extractor of timm; channels and strides come from it.

    Backbones with a pyramid of their own give the maps of ``strides``; plain
    Vision Transformers get a :class:`SimpleFeaturePyramid` of 4, 8, 16, 32
    on their last map. Images of any size: they are padded on the right and
    below to what the backbone can divide, and maps are cut to
    ceil(size / stride).

    Args:
        name: of timm, with or without a tag of weights, e.g.
            ``'convnext_tiny.dinov3_lvd1689m'``.
        pretrained: loads timm's weights and prints their licence. Where they
            cannot be fetched, weights are random, with one warning.
        strides: which maps a pyramid gives.
        out_channels: of the pyramid on a plain transformer.
        frozen: no gradient, and norms as in evaluation, but for the pyramid
            on a plain transformer.
        frozen_stages: how many stages, or blocks of a plain transformer, have
            no gradient and norms as in evaluation, with what lies before
            them; 0: that alone; -1: none.
        norm_eval: batch norms use and keep their running statistics.
        with_cp: activation checkpointing.
        drop_path_rate: of stochastic depth; timm's default if None.
        init_cfg: of MMEngine.

    Attributes:
        out_channels: of each map.
        strides: of each map.

    Raises:
        ImportError: timm is not installed.
        ValueError: timm has no such model, it has no map of a stride, it
            cannot take images of any size, it has no checkpointing or fewer
            stages.
    """

    def __init__(
        self,
        name: str,
        pretrained: bool = True,
        strides: Sequence[int] = (4, 8, 16, 32),
        out_channels: int = 256,
        frozen: bool = False,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        with_cp: bool = False,
        drop_path_rate: float | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        options = {}
        if drop_path_rate is not None:
            options['drop_path_rate'] = drop_path_rate
        self.name = name
        self.norm_eval = norm_eval
        info, self.divisor = describe(name)
        plain = _is_plain(info)
        if plain:
            chosen = [len(info.reduction()) - 1]
        else:
            chosen = _choose(name, info.reduction(), strides)
        # A place among the maps, whatever numbers timm has for them.
        indices = [info.out_indices[place] for place in chosen]
        self.body = _build(name, pretrained, out_indices=indices, **options)
        if with_cp:
            _checkpoint(name, self.body)
        self.pyramid: SimpleFeaturePyramid | None = None
        self.strides = tuple(strides)
        self.out_channels = tuple(info.channels()[i] for i in chosen)
        if plain:
            self.pyramid = SimpleFeaturePyramid(
                self.out_channels[0], out_channels
            )
            self.strides = SimpleFeaturePyramid.strides
            self.out_channels = (out_channels,) * len(self.strides)
        if frozen:
            self.body.requires_grad_(False)
        elif frozen_stages >= 0:
            places = range(len(info.info)) if plain else indices
            modules = [info.info[place]['module'] for place in places]
            _freeze(name, self.body, modules, frozen_stages)

    def init_weights(self) -> None:
        """Keeps timm's initialisation unless ``init_cfg`` says otherwise."""
        if self.init_cfg:
            super().init_weights()

    def train(self, mode: bool = True) -> 'TimmBackbone':
        """Switches the mode; frozen parts and kept norms stay as they are."""
        super().train(mode)
        for module in self.body.modules():
            held = list(module.parameters())
            if held and not any(value.requires_grad for value in held):
                module.eval()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Features of images.

        Args:
            x: (B, 3, H, W), normalised.

        Returns:
            A map (B, C, ceil(H / s), ceil(W / s)) for each stride s.
        """
        height, width = x.shape[-2:]
        below, right = -height % self.divisor, -width % self.divisor
        padded = F.pad(x, (0, right, 0, below)) if below or right else x
        maps = [_channels_first(self.body, m) for m in self.body(padded)]
        if self.pyramid is not None:
            maps = list(self.pyramid(maps[0], padded.shape[-2:]))
        return tuple(
            m[..., : math.ceil(height / s), : math.ceil(width / s)]
            for m, s in zip(maps, self.strides, strict=True)
        )


def _channels_first(body: nn.Module, features: Tensor) -> Tensor:
    if 'NHWC' in str(getattr(body, 'output_fmt', '')):
        return features.permute(0, 3, 1, 2).contiguous()
    return features


def _check_sizes(
    body: Any, maps: Sequence[Tensor], sides: tuple[int, int]
) -> None:
    """Whether maps cover the image, which unpadded convolutions cut.

    Raises:
        ValueError: one does not.
    """
    for stride, features in zip(
        body.feature_info.reduction(), maps, strict=True
    ):
        found = tuple(_channels_first(body, features).shape[2:])
        wanted = tuple(math.ceil(side / stride) for side in sides)
        # Larger ones are hardly asked for.
        if found != wanted and stride >= 4:
            raise ValueError(
                f'its map of stride {stride} is {found} for images of '
                f'{sides}, not {wanted}'
            )


def describe(name: str) -> tuple[Any, int]:
    """Looks at a model of timm without memory.

    Returns:
        timm's ``feature_info`` and the number that has to divide height and
        width of images.

    Raises:
        ValueError: it takes images of one size only, or its maps leave out
            their borders.
    """
    with torch.device('meta'), torch.no_grad():
        model = _build(name, False).eval()
        info = model.feature_info
        least = max(info.reduction())
        if _is_plain(info):
            # Both the patches and the lowest level divide the image.
            least = math.lcm(least, 32)
        # Windows of some are a share of the size that they were made for.
        made_for = _timm().get_pretrained_cfg(name).input_size[-2:]
        whole = math.lcm(least, *made_for)
        for divisor in (least, whole) if whole <= _MOST else (least,):
            sides = 3 * divisor, 5 * divisor
            try:
                maps = model(torch.zeros(1, 3, *sides))
                _check_sizes(model, maps, sides)
            except (AssertionError, RuntimeError, ValueError) as error:
                reason = error
            else:
                return info, divisor
    raise ValueError(
        f'{name} of timm does not take images of any size ({reason}): choose '
        'another backbone'
    )


def _is_plain(info: Any) -> bool:
    """Whether all maps are of one stride."""
    return len(set(info.reduction())) == 1


def _build(name: str, pretrained: bool, **options: Any) -> Any:
    timm = _timm()
    stem = name.partition('.')[0]
    if not timm.is_model(stem):
        near = get_close_matches(stem, timm.list_models(), 5)
        raise ValueError(
            f'timm {timm.__version__} has no {name!r}'
            + (f'; near it: {", ".join(near)}' if near else '')
        )
    options['features_only'] = True
    # A model without memory is built to be looked at: it needs no weights.
    if not pretrained or torch.empty(0).device.type == 'meta':
        return _any_size(timm, name, options)
    try:
        model = _any_size(timm, name, {**options, 'pretrained': True})
    except OSError as error:
        warnings.warn(
            f'weights of {name} cannot be fetched, it starts from random '
            f'ones: {str(error).splitlines()[0]}',
            stacklevel=2,
        )
        return _any_size(timm, name, options)
    licence = timm.get_pretrained_cfg(name).license or 'not stated'
    print(f'weights of {name}: licence {licence}')
    return model


def _any_size(timm: Any, name: str, options: dict[str, Any]) -> nn.Module:
    """Transformers with position embeddings take an option for it."""
    try:
        return timm.create_model(name, dynamic_img_size=True, **options)
    except TypeError:
        return timm.create_model(name, **options)


def _choose(
    name: str, reductions: list[int], strides: Sequence[int]
) -> list[int]:
    missing = sorted(set(strides) - set(reductions))
    if missing:
        raise ValueError(
            f'{name} has maps of strides {reductions}, none of {missing}: '
            'set strides'
        )
    # The last map of a stride is the richest.
    last = {reduction: i for i, reduction in enumerate(reductions)}
    return [last[stride] for stride in strides]


def _freeze(
    name: str, body: nn.Module, modules: Sequence[str], stages: int
) -> None:
    """Takes the gradient of all parameters up to the end of a stage.

    Args:
        name: of the model.
        body: its parameters are in the order of the forward pass.
        modules: that end each stage, by timm's names.
        stages: how many of them; 0: what lies before the first one.

    Raises:
        ValueError: it has not as many.
    """
    if stages > len(modules):
        raise ValueError(
            f'{name} has {len(modules)} stages: frozen_stages={stages} is '
            'too many'
        )
    # A feature extractor may write stages_0 for stages.0, and MViTv2 says
    # block.0 of it.
    end_of = modules[max(stages - 1, 0)]
    wanted = tuple(
        f'{word}.'.replace('_', '.')
        for word in (end_of, end_of.replace('block.', 'stages.'))
    )
    names = [key for key, _ in body.named_parameters()]
    inside = [
        place
        for place, key in enumerate(names)
        if key.removeprefix('model.').replace('_', '.').startswith(wanted)
    ]
    if not inside:
        raise ValueError(
            f'the stages of {name} of timm are no modules of their own: '
            'frozen_stages=-1'
        )
    end = inside[-1] + 1 if stages else inside[0]
    for key in names[:end]:
        body.get_parameter(key).requires_grad = False


def _checkpoint(name: str, body: nn.Module) -> None:
    for part in (body, getattr(body, 'model', None)):
        switch = getattr(part, 'set_grad_checkpointing', None)
        if switch is not None:
            switch(True)
            return
    if hasattr(body, 'grad_checkpointing'):
        setattr(body, 'grad_checkpointing', True)  # noqa: B010
        return
    raise ValueError(f'{name} of timm has no checkpointing: with_cp=False')
