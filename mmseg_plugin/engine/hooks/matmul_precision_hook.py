"""How exact products of float32 matrices are."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmseg_plugin.registry import HOOKS

PRECISIONS = ('highest', 'high', 'medium')


@HOOKS.register_module()
class MatmulPrecisionHook(Hook):
    """Sets ``torch.set_float32_matmul_precision`` before a run.

    With ``'high'`` recent GPUs multiply float32 by their tensor cores (TF32);
    a CPU computes as before. The published models were trained so.

    Args:
        precision: one of :data:`PRECISIONS`.

    Raises:
        ValueError: another precision.
    """

    def __init__(self, precision: str = 'high') -> None:
        if precision not in PRECISIONS:
            raise ValueError(
                f'precision is {precision!r}, not one of {PRECISIONS}'
            )
        self.precision = precision

    def before_run(self, runner: Runner) -> None:
        """Sets it for the whole process."""
        torch.set_float32_matmul_precision(self.precision)
