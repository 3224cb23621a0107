"""Runs a captured training step again and finds where it goes wrong."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.model import revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn

import mmseg_plugin.registry  # noqa: F401  (its types are known)
from mmseg_plugin.engine.captures import set_random_states


class Replay(NamedTuple):
    """What a captured step does when it runs again.

    Attributes:
        weights: names of weights that are not finite to begin with.
        module: first module whose output is not finite, None if all are.
        inputs_finite: whether its inputs were finite.
        losses: name and value of each loss.
        gradient: module at whose output the first gradient that is not
            finite arrives, None if all are finite.
        parameters: names of parameters with such gradients.
    """

    weights: list[str]
    module: str | None
    inputs_finite: bool
    losses: dict[str, float]
    gradient: str | None
    parameters: list[str]

    @property
    def finite(self) -> bool:
        """Whether nothing went wrong this time."""
        return not (
            self.weights or self.module or self.gradient or self.parameters
        ) and all(value - value == 0 for value in self.losses.values())


def replay(capture: dict, device: str = 'cpu') -> Replay:
    """Runs forward and backward of a step again.

    Args:
        capture: what ``engine.captures.read_capture`` gives.
        device: for instance ``'cpu'`` or ``'cuda:0'``; the generators of a
            GPU give other numbers than those of a CPU.

    Returns:
        What is not finite, first place first.
    """
    config = Config(capture['config'])
    init_default_scope(config.get('default_scope', 'mmdet'))
    model = revert_sync_batchnorm(MODELS.build(config.model))
    model.load_state_dict(capture['weights'])
    model.to(device).train()
    weights = [
        name
        for name, value in model.state_dict().items()
        if not _finite(value)
    ]
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    set_random_states(capture['random'])
    with _watched(model) as seen, wrapper.optim_context(model):
        data = model.data_preprocessor(capture['batch'], True)
        losses = model._run_forward(data, mode='loss')
        loss, named = model.parse_losses(losses)
        loss.backward()
    parameters = [
        name
        for name, param in model.named_parameters()
        if param.grad is not None and not _finite(param.grad)
    ]
    values = {name: float(torch.as_tensor(v)) for name, v in named.items()}
    module, inputs_finite = seen.get('forward', (None, True))
    gradient, _ = seen.get('backward', (None, True))
    return Replay(weights, module, inputs_finite, values, gradient, parameters)


@contextlib.contextmanager
def _watched(model: nn.Module) -> Iterator[dict]:
    """Notes the first output, and the first gradient of one, not finite."""
    seen: dict[str, tuple[str, bool]] = {}

    def watch(name: str) -> Any:
        def look(module: nn.Module, inputs: Any, output: Any) -> None:
            found = list(_tensors(output))
            if not all(map(_finite, found)):
                fine = all(map(_finite, _tensors(inputs)))
                seen.setdefault('forward', (name, fine))
            for tensor in found:
                if tensor.requires_grad:
                    tensor.register_hook(arrive)

        def arrive(grad: Tensor) -> None:
            if not _finite(grad):
                seen.setdefault('backward', (name, False))

        return look

    hooks = [
        module.register_forward_hook(
            watch(f'{name} ({type(module).__name__})')
        )
        for name, module in model.named_modules()
        if name
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _tensors(value: Any) -> Iterator[Tensor]:
    """All tensors of floats within containers."""
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


def _finite(value: Tensor) -> bool:
    return bool(value.isfinite().all())
