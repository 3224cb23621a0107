"""The optimizer's step of Mask DINO R50, against MMEngine's own groups."""

import copy
from pathlib import Path

import torch
from harness import Arms, bench
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from torch import nn

from mmseg_plugin.registry import MODELS

CONFIG = Path(__file__).parents[1] / 'configs' / 'maskdino'
NAME = 'maskdino_r50_8xb2-lsj-50e_coco.py'


def with_gradients(
    model: nn.Module, config: Config, **changes: object
) -> OptimWrapper:
    """The wrapper of a config over a model, with gradients to clip."""
    own = copy.deepcopy(config.optim_wrapper)
    own.update(changes)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.full_like(parameter, 1e-4)
    return build_optim_wrapper(model, own)


@bench('optimizer_step_maskdino', 'one group per parameter', 3.5)
def optimizer_step() -> Arms:
    """Clipping and one step of AdamW over all parameters."""
    config = Config.fromfile(CONFIG / NAME)
    config.model.backbone.init_cfg = None
    model = MODELS.build(config.model)
    twin = copy.deepcopy(model)
    ours = with_gradients(model, config)
    peer = with_gradients(
        twin, config, constructor='DefaultOptimWrapperConstructor'
    )
    ours.step()
    peer.step()
    for one, two in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-7)
    return Arms(ours.step, peer.step)
