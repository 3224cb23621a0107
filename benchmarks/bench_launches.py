"""Operators that matching, losses and gradients dispatch: launches on a GPU.

Counted on a CPU, with the chunks of any other device: a CPU's are smaller,
for its caches, so there are more of them. Elsewhere each chunk of maps at
points has one operator more, the ``topk`` in place of NumPy's selection.
"""

from collections.abc import Callable
from typing import Any

import mask_dino_path
import torch
from harness import Arms, bench
from launches import Launches
from mask_path import Size, heads, make_inputs, ours_step, peer_step
from mmengine.config import Config
from mmengine.registry import DefaultScope
from model_pairs import CONFIGS

from mmseg_plugin.registry import MODELS
from mmseg_plugin.structures.map_chunks import BUDGET

# Of the build before this was counted, on the same inputs.
MASK_DINO_BEFORE = 7125
# A tiny config's head and the build before's forward pass.
FORWARD = {
    'mask2former': ('mask2former/mask2former_tiny_demo_scenes-panoptic', 539),
    'mask_dino': ('maskdino/maskdino_tiny_demo_scenes-panoptic', 772),
}


def launches(call: Callable[[], Any]) -> Launches:
    """What one call dispatches."""
    with Launches() as seen:
        call()
    return seen


def off_the_cpu(criterion: Any) -> None:
    """Lets chunks be as large as they are on other devices."""
    criterion.assigner.chunk_size = criterion.loss_mask.chunk_size = BUDGET


def mask_path_launches(size: Size, peer_size: Size) -> Arms:
    """Ours at full size; mmdet's are as many for inputs of any size."""

    return Arms(
        lambda: ours_launches(size).count,
        lambda: peer_launches(peer_size).count,
    )


def ours_launches(size: Size) -> Launches:
    head, _ = heads(size)
    off_the_cpu(head.criterion)
    inputs = make_inputs(size)
    return launches(lambda: ours_step(head, inputs))


def peer_launches(size: Size) -> Launches:
    _, head = heads(size)
    inputs = make_inputs(size)
    return launches(lambda: peer_step(head, inputs))


@bench('touched_mask_path_g20', 'mmdet head', 8, unit='GB')
def bytes_touched() -> Arms:
    """Bytes of the inputs and outputs of all these operators."""
    return Arms(
        lambda: ours_launches(Size()).touched / 1e9,
        lambda: peer_launches(Size()).touched / 1e9,
    )


for _targets in (5, 20, 60, 100):
    bench(f'launches_mask_path_g{_targets}', 'mmdet head', 6, unit='ops')(
        lambda targets=_targets: mask_path_launches(
            Size(targets=targets), Size(image=128, targets=5, points=64)
        )
    )


@bench('launches_mask_dino', 'build before', 9, unit='ops')
def mask_dino() -> Arms:
    return mask_dino_launches(mask_dino_path.Size(targets=20, images=2))


def mask_dino_launches(size: mask_dino_path.Size) -> Arms:
    """Ours, and those of the same inputs before."""

    def ours() -> int:
        inputs = mask_dino_path.make_inputs(size)
        off_the_cpu(inputs.head.criterion)
        return launches(lambda: mask_dino_path.factored_step(inputs)).count

    return Arms(ours, lambda: MASK_DINO_BEFORE)


def forward_launches(name: str) -> int:
    """Of a head's forward pass, the second one of its sizes."""
    config = Config.fromfile(CONFIGS.parent / f'{FORWARD[name][0]}.py').model
    with DefaultScope.overwrite_default_scope('mmdet'):
        head = MODELS.build(
            {**config.panoptic_head, 'train_cfg': config.train_cfg}
        ).eval()
    maps = [
        torch.randn(2, channels, 64 >> level, 64 >> level)
        for level, channels in enumerate(config.panoptic_head.in_channels)
    ]
    with torch.no_grad():
        head(maps, None)
        return launches(lambda: head(maps, None)).count


for _name, (_, _before) in FORWARD.items():
    bench(f'launches_forward_{_name}', 'build before', 1.4, unit='ops')(
        lambda name=_name, before=_before: Arms(
            lambda: forward_launches(name), lambda: before
        )
    )
