"""An optimizer wrapper whose merged groups look like those of each name."""

from typing import Any

import torch
from mmengine.optim import OptimWrapper

# What the constructor chooses for speed; files hold what the config says.
_CHOSEN = 'fused'


class MergedGroups(OptimWrapper):
    """Mixin of the wrappers that ``MergedOptimWrapperConstructor`` builds.

    The optimizer steps over few groups. Whoever asks the wrapper (schedules,
    checkpoints) sees the groups that MMEngine's own constructor makes, so
    files are the same as those of a run without merging, and resume either.

    Args:
        optimizer: over the merged groups.
        groups: MMEngine's groups, in its order, one dict each with
            ``params`` and the settings that the group was made with.
        members: for each of ``groups``, the number of its merged group.
        chosen_fused: the constructor set ``fused``, not the config.
        **kwargs: of the wrapper this is mixed into.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        groups: list[dict],
        members: list[int],
        chosen_fused: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(optimizer=optimizer, **kwargs)
        self._members = members
        self._chosen_fused = chosen_fused
        self._params = [p for group in groups for p in group['params']]
        self._sizes = [len(group['params']) for group in groups]
        if len(groups) > 1 and len(optimizer.param_groups) == 1:
            # As MMEngine does for more than one group: names the base rate.
            self.base_param_settings = {
                'params': torch.tensor([0.0]),
                **optimizer.defaults,
            }

    @property
    def param_groups(self) -> list[dict]:
        """One entry per group of MMEngine; merged ones are one object.

        Schedules compute all values before they set one, so an object that
        is listed often is changed once.
        """
        groups = [self.optimizer.param_groups[i] for i in self._members]
        if self.base_param_settings is not None:
            groups.append(self.base_param_settings)
        return groups

    def state_dict(self) -> dict:
        """The state as MMEngine's own constructor would lay it out."""
        state = super().state_dict()
        merged = state['param_groups']
        number = self._saved_numbers(merged)
        fused = {_CHOSEN: None} if self._chosen_fused else {}
        groups = []
        start = 0
        for member, size in zip(self._members, self._sizes, strict=True):
            numbers = list(range(start, start + size))
            groups.append({**merged[member], **fused, 'params': numbers})
            start += size
        values = {number[i]: value for i, value in state['state'].items()}
        return {
            **state,
            'state': {i: values[i] for i in sorted(values)},
            'param_groups': groups,
        }

    def load_state_dict(self, state_dict: dict) -> None:
        """Takes the state of a run with or without merging.

        Raises:
            ValueError: other groups, or settings that differ within what is
                merged here.
        """
        saved = state_dict['param_groups']
        sizes = [len(group['params']) for group in saved]
        if sizes != self._sizes:
            raise ValueError(
                f'the optimizer of the checkpoint has {len(sizes)} groups '
                f'with {sum(sizes)} parameters, this run '
                f'{len(self._sizes)} with {sum(self._sizes)}; resume with '
                'the model and the paramwise_cfg that wrote it'
            )
        merged = [
            {'params': group['params']}
            for group in self.optimizer.state_dict()['param_groups']
        ]
        number = self._saved_numbers(merged)
        for member, group in zip(self._members, saved, strict=True):
            settings = {k: v for k, v in group.items() if k != 'params'}
            if self._chosen_fused:
                settings[_CHOSEN] = True
            known = merged[member]
            if len(known) > 1 and known != {**known, **settings}:
                raise ValueError(
                    'the checkpoint has different settings for parameters '
                    'that share them in this run; resume with the '
                    'paramwise_cfg that wrote it'
                )
            known.update(settings)
        values = state_dict['state']
        state = {i: values[n] for i, n in number.items() if n in values}
        super().load_state_dict(
            {**state_dict, 'state': state, 'param_groups': merged}
        )

    def _saved_numbers(self, merged: list[dict]) -> dict[int, int]:
        """The number of each parameter here to its number in a file."""
        left = [iter(group['params']) for group in merged]
        owners = [
            member
            for member, size in zip(self._members, self._sizes, strict=True)
            for _ in range(size)
        ]
        return {next(left[member]): n for n, member in enumerate(owners)}

    def _clip_grad(self) -> None:
        """Clips all gradients at once, in MMEngine's order.

        The order decides the last bit of their norm.
        """
        params = [p for p in self._params if p.grad is not None]
        if not params:
            return
        kwargs = dict(self.clip_grad_kwargs)
        if all(type(p.grad) is torch.Tensor for p in params):
            kwargs.setdefault('foreach', True)
        norm = self.clip_func(params, **kwargs)
        if norm is not None:
            self.message_hub.update_scalar(
                f'train/{self.grad_name}', float(norm)
            )
