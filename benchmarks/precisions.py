"""Number formats in which an accelerator computes."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Of single losses, which compute in float32 always, and of whole models.
FLOAT32 = ('fp32',)
ALL = ('fp32', 'tf32', 'bf16')


@contextmanager
def precision(name: str, device: torch.device) -> Iterator[None]:
    """Computes in float32, in TensorFloat-32, or in bfloat16 by autocast.

    Args:
        name: one of :data:`ALL`; bfloat16 leaves TensorFloat-32 to the parts
            that autocast keeps in float32.
        device: where the work is done.
    """
    cudnn = torch.backends.cudnn
    before = torch.get_float32_matmul_precision(), cudnn.allow_tf32
    full = name == 'fp32'
    torch.set_float32_matmul_precision('highest' if full else 'high')
    cudnn.allow_tf32 = not full
    try:
        with torch.autocast(
            device.type, torch.bfloat16, enabled=name == 'bf16'
        ):
            yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        cudnn.allow_tf32 = before[1]
