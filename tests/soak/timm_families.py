"""One model of every family of timm as a backbone; prints a table.

The smallest of each module of timm, with random weights: builds, gives maps
of the stated channels and strides at three sizes, has a gradient on every
trainable parameter, and the features that timm's own extractor gives.

python -m tests.soak.timm_families [FAMILY ...]
"""

from __future__ import annotations

import argparse
import re
import warnings
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import nn

from mmseg_plugin.models.backbones import TimmBackbone
from mmseg_plugin.models.backbones.timm_backbone import describe
from tests.torchvision_operators import declare

# What small models are called, so that not all have to be built.
SMALL = re.compile(
    'tiny|nano|atto|femto|pico|small|mini|micro|xx|_(s|t|xs|m0)(_|$)|'
    '[a-z](0|10|18|26)(d|t|_|$)|00[24]|050|lite0'
)
# Sides above which a model is tried on smaller images first.
LARGE = 448
SIZES = ((128, 160), (97, 161), (64, 224))
STRIDES = (4, 8, 16, 32)


class Row(NamedTuple):
    """What became of one family.

    Attributes:
        family: a module of timm.
        model: its smallest.
        millions: of parameters of the backbone.
        strides: of its maps.
        channels: of its maps.
        divisor: what images are padded to.
        fault: why it cannot be used; empty if it can.
        wrong: whether that is a fault of ours.
    """

    family: str
    model: str
    millions: float = 0.0
    strides: tuple[int, ...] = ()
    channels: tuple[int, ...] = ()
    divisor: int = 0
    fault: str = ''
    wrong: bool = False

    def line(self) -> str:
        """Of a table in Markdown."""
        start = f'| {self.family} | `{self.model}` | '
        if self.fault:
            return f'{start}{self.fault} | | | |'
        strides, channels = (
            ', '.join(map(str, v)) for v in (self.strides, self.channels)
        )
        return (
            f'{start}{self.millions:.1f} M | {strides} | {channels} | '
            f'{self.divisor} |'
        )


def smallest(timm: Any, family: str) -> tuple[str, str]:
    """The model of fewest parameters that has features.

    Returns:
        Its name, and why it has none if no model of the family has.
    """
    best: tuple[float, str] | None = None
    reason, name = '', ''
    # Without those of timm's own tests.
    names = [
        name
        for name in timm.list_models(module=family)
        if not name.startswith('test_')
    ]
    for name in list(filter(SMALL.search, names)) or names:
        try:
            with torch.device('meta'):
                model = timm.create_model(name, features_only=True)
        except (RuntimeError, AttributeError, TypeError) as error:
            reason = reason or str(error).splitlines()[0]
            continue
        size = sum(value.numel() for value in model.parameters())
        if best is None or size < best[0]:
            best = size, name
    return (best[1], '') if best else (name, reason)


def check_maps(backbone: nn.Module) -> None:
    """Maps have the stated channels and strides at any size."""
    for height, width in SIZES:
        with torch.no_grad():
            maps = backbone.eval()(torch.randn(2, 3, height, width))
        found = [tuple(m.shape) for m in maps]
        wanted = [
            (2, channels, -(-height // stride), -(-width // stride))
            for channels, stride in zip(
                backbone.out_channels, backbone.strides, strict=True
            )
        ]
        assert found == wanted, f'maps of {found}, not {wanted}'
        assert all(m.isfinite().all() for m in maps), 'not finite'


def check_gradients(backbone: nn.Module) -> None:
    """Every trainable parameter gets one."""
    maps = backbone.train()(torch.randn(2, 3, 96, 128))
    sum(m.square().mean() for m in maps).backward()
    missing = [
        key
        for key, value in backbone.named_parameters()
        if value.requires_grad and value.grad is None
    ]
    assert not missing, f'no gradient: {missing[0]} and {len(missing)} in all'


def check_features(timm: Any, backbone: nn.Module) -> None:
    """Features are those of timm's extractor at the size it was made for."""
    body = backbone.eval().body
    own = timm.create_model(
        backbone.name,
        features_only=True,
        out_indices=list(body.feature_info.out_indices),
    ).eval()
    own.load_state_dict(body.state_dict())
    size = timm.get_pretrained_cfg(backbone.name).input_size[-2:]
    with torch.no_grad():
        theirs = None
        if max(size) > LARGE:
            image = torch.randn(1, 3, 256, 256)
            with suppress(AssertionError, RuntimeError):
                theirs = own(image)
        if theirs is None:
            image = torch.randn(1, 3, *size)
            theirs = own(image)
        ours, last = body(image), backbone(image)
    for one, two in zip(ours, theirs, strict=True):
        assert torch.equal(one, two), 'features are not those of timm'
    if backbone.pyramid is not None or image.shape[2] % backbone.divisor:
        # Other maps, or a padded image: nothing to compare with.
        return
    for one, two in zip(last, theirs, strict=True):
        if one.shape != two.shape:
            two = two.permute(0, 3, 1, 2)
        assert torch.equal(one, two), 'maps are not those of timm'


def survey(timm: Any, family: str) -> Row:
    """Tries the smallest model of one family."""
    name, reason = smallest(timm, family)
    if reason:
        return Row(family, name, fault=reason)
    try:
        known = sorted({r for r in describe(name)[0].reduction() if r >= 4})
        plain = len(known) == 1
        strides = known if not plain and set(STRIDES) - set(known) else STRIDES
        torch.manual_seed(0)
        backbone = TimmBackbone(name, pretrained=False, strides=strides)
    except ValueError as error:
        fault = str(error).removeprefix(f'{name} of timm ')
        return Row(family, name, fault=fault.partition(': choose')[0])
    try:
        check_maps(backbone)
        check_features(timm, backbone)
        check_gradients(backbone)
    except Exception as error:
        # Models of others may raise anything.
        kind = type(error).__name__
        fault = f'{kind}: {error}'.splitlines()[0]
        return Row(family, name, fault=fault, wrong=True)
    count = sum(value.numel() for value in backbone.body.parameters())
    return Row(
        *(family, name, count / 1e6, backbone.strides),
        *(backbone.out_channels, backbone.divisor),
    )


def rows(timm: Any, families: list[str]) -> Iterator[Row]:
    """One for each family."""
    for family in families or timm.list_modules():
        yield survey(timm, family)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('families', nargs='*')
    args = parser.parse_args()
    declare()
    import timm

    torch.set_num_threads(1)
    warnings.simplefilter('ignore')
    print('| family | smallest model | size | strides | channels | divisor |')
    print('|---|---|---|---|---|---|')
    found = []
    for row in rows(timm, args.families):
        found.append(row)
        print(row.line(), flush=True)
    good = sum(not row.fault for row in found)
    wrong = [row.family for row in found if row.wrong]
    print(f'\n{good} of {len(found)} families of timm {timm.__version__}')
    if wrong:
        raise SystemExit(f'error: wrong: {", ".join(wrong)}')


if __name__ == '__main__':
    main()
