"""What watching for losses and gradients that are not finite costs a step."""

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from bench_launches import launches
from bench_step import batch, models
from harness import CPU, Arms, bench
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from model_pairs import CONFIGS
from torch import Tensor

from mmseg_plugin.engine.hooks import NonFiniteGuard

NAME = 'mask2former_tiny_demo_scenes-panoptic.py'


def training(
    model: Any, data: tuple, hook: NonFiniteGuard | None
) -> Callable[[], Tensor]:
    """A step of a run, with the optimizer; without a hook it is MMEngine's."""
    config = copy.deepcopy(Config.fromfile(CONFIGS / NAME).optim_wrapper)
    wrapper = build_optim_wrapper(model, config)
    runner: Any = SimpleNamespace(
        model=model, optim_wrapper=wrapper, message_hub=wrapper.message_hub
    )
    if hook:
        hook.before_train(runner)

    def step() -> Tensor:
        if hook:
            hook.before_train_iter(runner, 0)
        loss, _ = model.parse_losses(model.loss(*data))
        wrapper.update_params(loss)
        if hook:
            hook.after_train_iter(runner, 0)
        return loss.detach()

    return step


@bench('non_finite_guard', 'the same without it', 0.99)
def guarded_step() -> Arms:
    """A step of Mask2Former at 256 x 256, four images, clipping included."""
    model, _ = models('demo', CPU.device)
    data = batch(model, 'demo')
    twin = copy.deepcopy(model)
    both = Arms(
        training(model, data, NonFiniteGuard()), training(twin, data, None)
    )
    for _ in range(2):
        found = []
        for call in both:
            torch.manual_seed(0)
            found.append(call())
        assert torch.equal(*found)
    for one, two in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(one, two)
    return both


@bench('non_finite_guard_launches', 'the same without it', 0.99, unit='ops')
def guarded_launches() -> Arms:
    """The operators of both."""
    ours, peer = guarded_step()
    return Arms(lambda: launches(ours).count, lambda: launches(peer).count)
