"""Steps whose losses or gradients are not finite are skipped and kept."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import (
    all_gather_object,
    all_reduce,
    get_rank,
    is_distributed,
)
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor, nn

from mmseg_plugin.engine.captures import (
    image_ids,
    random_states,
    write_capture,
)
from mmseg_plugin.registry import HOOKS

_COUNT = 'non_finite_steps'


@HOOKS.register_module()
class NonFiniteGuard(Hook):
    """Skips a step with losses or gradients that are not finite.

    Weights, state of the optimizer and running statistics stay as they
    were, on all processes alike. The step is counted (``non_finite_steps``
    of the message hub, kept by checkpoints) and logged with its images, and
    what it takes to run it again is written: ``mmseg-plugin replay FILE``.

    With ``clip_grad`` the question costs no synchronisation: the answer
    travels with the norm of the gradients, which MMEngine copies to the host
    for its log. Without, it is one copy a step. With a loss scale in fp16,
    overflow of gradients is the scale's own matter, unless the loss itself
    is not finite.

    Args:
        stop_after: this many such steps in a row end the run.
        captures: most files to write, a process.
        out_dir: for them; ``non_finite`` in the work_dir when None.

    Raises:
        SystemExit: after ``stop_after`` steps in a row, with a sentence.
        ValueError: the run has more than one optimizer.
    """

    def __init__(
        self,
        stop_after: int = 10,
        captures: int = 3,
        out_dir: str | None = None,
    ) -> None:
        self.stop_after = stop_after
        self.captures = captures
        self.out_dir = out_dir
        self._row = 0
        self._finite: bool | None = None
        # Zero; NaN once a loss since the last step was not finite.
        self._poison: Tensor | float = 0.0
        self._statistics: list[Tensor] = []
        self._kept: list[Tensor] = []
        self._random: dict = {}

    def before_train(self, runner: Runner) -> None:
        wrapper = runner.optim_wrapper
        if not isinstance(wrapper, OptimWrapper):
            raise ValueError(
                'NonFiniteGuard watches one optimizer; optim_wrapper is '
                f'{type(wrapper).__name__}: remove the hook'
            )
        self._statistics = [
            buffer
            for buffer in _bare(runner.model).buffers()
            if buffer.is_floating_point()
        ]
        self._kept = [buffer.clone() for buffer in self._statistics]
        self._watch(wrapper)

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        self._random = random_states()
        self._finite = None
        if self._kept:
            torch._foreach_copy_(self._kept, self._statistics)

    # ---- within the step ----

    def _watch(self, wrapper: OptimWrapper) -> None:
        """Sees each loss and norm, and stands before the optimizer."""
        backward, step = wrapper.backward, wrapper.optimizer.step

        def watched_backward(loss: Tensor, **kwargs: Any) -> None:
            # 0 * inf and 0 * NaN are NaN, and so is their sum.
            poison = loss.detach().float() * 0
            if is_distributed():
                all_reduce(poison)
            self._poison = self._poison + poison
            backward(loss, **kwargs)

        wrapper.backward = watched_backward
        wrapper.optimizer.step = self._guarded(wrapper, step)
        if not wrapper.clip_grad_kwargs:
            return
        clip = wrapper.clip_func

        def watched_clip(params: list[Tensor], **kwargs: Any) -> Any:
            norm = clip(params, **kwargs)
            return None if norm is None else norm + self._poison

        wrapper.clip_func = watched_clip

    def _guarded(self, wrapper: OptimWrapper, step: Callable) -> Callable:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            self._finite = math.isfinite(self._norm(wrapper))
            if self._finite:
                return step(*args, **kwargs)
            self._restore()
            return None

        # Schedulers count steps by an attribute of the function.
        vars(guarded).update(vars(step))
        return guarded

    def _norm(self, wrapper: OptimWrapper) -> float:
        """Norm of the gradients; NaN if a loss was not finite."""
        if wrapper.clip_grad_kwargs:
            scalars = wrapper.message_hub.log_scalars
            name = f'train/{wrapper.grad_name}'
            # Clipping by value has no norm.
            if name in scalars:
                return float(scalars[name].current())
        grads = [
            param.grad
            for group in wrapper.optimizer.param_groups
            for param in group['params']
            if param.grad is not None
        ]
        norms = torch._foreach_norm(grads) if grads else []
        return float(sum(norms, start=self._poison))

    def _restore(self) -> None:
        """Running statistics as they were before the step."""
        if self._kept:
            torch._foreach_copy_(self._statistics, self._kept)

    # ---- after the step ----

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        wrapper = runner.optim_wrapper
        if not wrapper.should_update():
            return
        finite = self._finite
        if finite is None:
            # The loss scale has skipped the optimizer, because of the
            # gradients or because of the loss.
            finite = not math.isnan(float(self._poison))
            if not finite:
                self._restore()
        self._poison = 0.0
        if finite:
            self._row = 0
            return
        self._row += 1
        self._report(runner, data_batch, outputs or {})

    def _report(self, runner: Runner, batch: Any, outputs: dict) -> None:
        hub = runner.message_hub
        count = hub.runtime_info.get(_COUNT, 0) + 1
        hub.update_info(_COUNT, count)
        bad = [
            name
            for name, value in outputs.items()
            if not torch.as_tensor(value).isfinite().all()
        ]
        everyone = all_gather_object((bad, image_ids(batch)))
        guilty = [part for part in everyone if part[0]] or everyone
        names = sorted({name for part in guilty for name in part[0]})
        images = [image for part in guilty for image in part[1]]
        # Where no loss is bad it was a gradient, the same everywhere.
        own = bool(bad) or (not names and get_rank() == 0)
        where = self._capture(runner, batch) if own else None
        sentence = (
            f'{", ".join(names) or "a gradient"} not finite at iteration '
            f'{runner.iter + 1}, images {", ".join(images) or "unknown"}: '
            f'step skipped, {count} in all'
        )
        if where:
            sentence += f'; mmseg-plugin replay {where} runs it again'
        runner.logger.warning(sentence)
        if self._row >= self.stop_after:
            raise SystemExit(
                f'error: {sentence}; {self._row} in a row, so the run ends: '
                'lower the learning rate or look at these images'
            )

    def _capture(self, runner: Runner, batch: Any) -> Path | None:
        if self.captures <= 0:
            return None
        folder = Path(self.out_dir or Path(runner.work_dir) / 'non_finite')
        path = folder / f'iter_{runner.iter + 1}_rank_{get_rank()}.pth'
        try:
            write_capture(
                path,
                runner.cfg.to_dict(),
                runner.iter,
                batch,
                _bare(runner.model).state_dict(),
                self._random,
            )
        except OSError as error:
            runner.logger.warning(
                f'{path} could not be written ({error.strerror or error})'
            )
            return None
        self.captures -= 1
        return path


def _bare(model: Any) -> nn.Module:
    return model.module if is_model_wrapper(model) else model
