"""Operators that matching, losses and gradients dispatch: launches on a GPU.

Counted on a CPU, with the chunks of any other device: a CPU's are smaller,
for its caches, so there are more of them. Elsewhere each chunk of maps at
points has one operator more, the ``topk`` in place of NumPy's selection.
"""

from collections.abc import Callable
from typing import Any

import mask_dino_path
from harness import Arms, bench
from launches import Launches
from mask_path import Size, heads, make_inputs, ours_step, peer_step

from mmseg_plugin.structures.map_chunks import BUDGET

# Of the build before this was counted, on the same inputs.
MASK_DINO_BEFORE = 7125


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
