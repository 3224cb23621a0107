"""Builds optimizers over few groups of parameters."""

from itertools import chain
from typing import Any

import torch
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS, OPTIMIZERS
from torch import nn

from mmseg_plugin.registry import OPTIM_WRAPPER_CONSTRUCTORS

from .layer_decay import layer_scales
from .merged_groups import MergedGroups

_FUSED = ('AdamW', 'Adam', 'SGD')
_DEVICES = ('cpu', 'cuda')


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MergedOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """MMEngine's constructor, with one group for all of equal settings.

    MMEngine makes one group per parameter as soon as there is a
    ``paramwise_cfg``. Its rules are unchanged here; parameters for which they
    end in the same settings share a group. Frozen parameters are left out, a
    parameter with several names belongs to its first one. Without fused
    kernels a run is the same bit by bit; files resume with and without this.

    ``optimizer=dict(fused=...)`` is set to True where torch has the kernel
    (AdamW, Adam and SGD; floating-point parameters on a CPU or CUDA) and the
    config says nothing of ``fused``, ``foreach`` or ``capturable``. It rounds
    differently; ``fused=False`` keeps the bits.

    ``paramwise_cfg=dict(layer_decay=0.8)`` lowers the learning rate of a
    Vision Transformer or a ConvNeXt layer by layer, see :func:`layer_scales`;
    ``lr_mult`` of ``custom_keys`` counts beside it.

    Use it in a config of any project: ``optim_wrapper=dict(constructor=
    'mmseg_plugin.MergedOptimWrapperConstructor')``.
    """

    def __call__(self, model: nn.Module) -> OptimWrapper:
        model = getattr(model, 'module', model)
        groups = self._groups(model)
        merged, members = merge(groups)
        config: dict[str, Any] = dict(self.optimizer_cfg)
        chosen = self._can_be_fused(groups)
        if chosen:
            config['fused'] = True
        optimizer = OPTIMIZERS.build({**config, 'params': merged})
        wrapper = dict(self.optim_wrapper_cfg)
        kind = wrapper.pop('type', 'OptimWrapper')
        # Configs that inherit one of another package say where types are.
        scope = wrapper.pop('_scope_', None)
        with OPTIM_WRAPPERS.switch_scope_and_registry(scope) as registry:
            base = registry.get(kind) if isinstance(kind, str) else kind
        with_groups = type(base.__name__, (MergedGroups, base), {})
        return with_groups(
            optimizer=optimizer,
            groups=groups,
            members=members,
            chosen_fused=chosen,
            **wrapper,
        )

    def _groups(self, model: nn.Module) -> list[dict]:
        """MMEngine's groups, each parameter once."""
        if not self.paramwise_cfg:
            return [{'params': list(model.parameters())}]
        groups: list[dict] = []
        self.add_params(groups, model)
        seen: set[int] = set()
        once = []
        for group in groups:
            (parameter,) = group['params']
            if id(parameter) not in seen:
                seen.add(id(parameter))
                once.append(group)
        if (decay := self.paramwise_cfg.get('layer_decay')) is not None:
            self._decay_layers(model, once, decay)
        return once

    def _decay_layers(
        self, model: nn.Module, groups: list[dict], decay: float
    ) -> None:
        names = {id(p): name for name, p in model.named_parameters()}
        scales = layer_scales(names.values(), decay)
        for group in groups:
            scale = scales[names[id(group['params'][0])]]
            rate: Any = group.get('lr', self.base_lr)
            group['lr'] = rate * scale

    def _can_be_fused(self, groups: list[dict]) -> bool:
        config = self.optimizer_cfg
        if {'fused', 'foreach', 'capturable', 'differentiable'} & set(config):
            return False
        kinds = [getattr(torch.optim, name) for name in _FUSED]
        if config['type'] not in (*_FUSED, *kinds):
            return False
        return all(
            parameter.device.type in _DEVICES and parameter.is_floating_point()
            for parameter in chain.from_iterable(g['params'] for g in groups)
        )


def merge(groups: list[dict]) -> tuple[list[dict], list[int]]:
    """Joins groups whose settings are equal, in order of appearance.

    Args:
        groups: of an optimizer, each with ``params`` and its settings.

    Returns:
        The joined groups, and for each given one the number of its own.
    """
    settings: list[dict] = []
    merged: list[dict] = []
    members = []
    for group in groups:
        own = {k: v for k, v in group.items() if k != 'params'}
        if own not in settings:
            settings.append(own)
            merged.append({**own, 'params': []})
        number = settings.index(own)
        merged[number]['params'].extend(group['params'])
        members.append(number)
    return merged, members
