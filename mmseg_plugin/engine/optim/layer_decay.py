"""Lower learning rates for the earlier layers of a pretrained backbone."""

import math
import re
from collections.abc import Callable, Iterable

_STAGE = re.compile(r'\bstages[._](\d+)\.(?:blocks\.)?(\d+)?')
_BLOCK = re.compile(r'\bblocks\.(\d+)\.')
_STEM = re.compile(
    r'\b(stem|patch_embed|pos_embed|cls_token|reg_token|mask_token'
    r'|downsample_layers\.0|norm_pre|rope)'
)
_BACKBONE = 'backbone.'
# That of TimmBackbone is not pretrained.
_PYRAMID = 'backbone.pyramid.'
# Blocks of ConvNeXt's third stage that share a layer.
_TOGETHER = 3


def layer_scales(names: Iterable[str], decay: float) -> dict[str, float]:
    """Factor of each parameter's learning rate.

    ``decay ** (depth + 1 - layer)``: embeddings and stem are layer 0; a plain
    Vision Transformer has a layer for each block; ConvNeXt one for each of
    its first two stages, one for every three blocks of the third, one for the
    fourth, as published. Everything behind, and outside the backbone, has
    factor 1.

    Source: "BEiT" (arXiv 2106.08254) and "A ConvNet for the 2020s" (arXiv
    2201.03545), with the groups of their code.

    Args:
        names: of parameters; those of the backbone begin with ``backbone.``.
        decay: above 0, at most 1.

    Raises:
        ValueError: ``decay`` is out of range, or the backbone is neither a
            plain Vision Transformer nor a ConvNeXt.
    """
    if not 0 < decay <= 1:
        raise ValueError(
            f'layer_decay of paramwise_cfg is {decay}; it is above 0 and at '
            'most 1'
        )
    names = list(names)
    own = [
        name
        for name in names
        if name.startswith(_BACKBONE) and not name.startswith(_PYRAMID)
    ]
    staged = any(_STAGE.search(name) for name in own)
    if not staged and not any(_BLOCK.search(name) for name in own):
        raise ValueError(
            'layer_decay of paramwise_cfg needs a plain Vision Transformer '
            '(blocks.N) or a ConvNeXt (stages.N.blocks.M) as the backbone; '
            'leave it out'
        )
    find = _layer_of_stages(own) if staged else _layer_of_blocks
    layers = {name: find(name) for name in own}
    depth = max(layer for layer in layers.values() if layer is not None)
    return {
        name: 1.0
        if (layer := layers.get(name)) is None
        else decay ** (depth + 1 - layer)
        for name in names
    }


def _layer_of_blocks(name: str) -> int | None:
    if found := _BLOCK.search(name):
        return int(found[1]) + 1
    return 0 if _STEM.search(name) else None


def _layer_of_stages(names: list[str]) -> Callable[[str], int | None]:
    found = [match for name in names if (match := _STAGE.search(name))]
    third = [int(match[2]) for match in found if match[1] == '2' and match[2]]
    last = 3 + math.ceil((max(third, default=0) + 1) / _TOGETHER)

    def find(name: str) -> int | None:
        match = _STAGE.search(name)
        if match is None:
            return 0 if _STEM.search(name) else None
        stage, block = int(match[1]), int(match[2] or 0)
        if stage == 2:
            return 3 + block // _TOGETHER
        return stage + 1 if stage < 2 else last

    return find
