"""Mask DINO: losses against dense masks; step and inference of the demo."""

import copy
from functools import partial
from typing import Any

import torch
from bench_step import batch, optimizer_of, step
from harness import Arms, bench
from mask_dino_path import (
    Size,
    dense_step,
    factored_step,
    loss_path,
    make_inputs,
)
from mmcv.ops import MultiScaleDeformableAttention
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from model_pairs import CONFIGS
from precisions import ALL, FLOAT32
from torch import Tensor

bench('mask_dino_loss_path_time', 'dense masks', 6, precisions=FLOAT32)(
    loss_path
)
bench('mask_dino_loss_path_shared_time', 'dense masks', 9, precisions=FLOAT32)(
    lambda device: loss_path(device, shared=True)
)


@bench('mask_dino_loss_path_memory', 'dense masks', 6, unit='MB')
def memory() -> Arms:
    # That both agree is asserted where they are timed.
    inputs = make_inputs(Size())
    return Arms(lambda: factored_step(inputs), lambda: dense_step(inputs))


def demo_config() -> Config:
    path = CONFIGS.parent / 'maskdino' / 'maskdino_tiny_demo_scenes.py'
    return Config.fromfile(path)


def demo_model(device: torch.device) -> Any:
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(demo_config().model)
    model.init_weights()
    return model.to(device)


@bench('step_mask_dino_demo', "mmcv's attention", 1.5, precisions=ALL)
def demo_step(device: torch.device) -> Arms:
    """With mmcv's attention and MMEngine's optimizer, or with ours."""
    ours = demo_model(device)
    peer = copy.deepcopy(ours)
    for part in peer.modules():
        if isinstance(part, MultiScaleDeformableAttention):
            part.__class__ = MultiScaleDeformableAttention
    data = batch(ours, 'demo')
    default = {'constructor': 'DefaultOptimWrapperConstructor'}
    optimizers = (
        optimizer_of(ours, demo_config()),
        optimizer_of(peer, demo_config(), **default),
    )

    def seeded_step(model: Any, optimizer: Any) -> Tensor:
        torch.manual_seed(0)
        return step(model, optimizer, *data)

    arms = Arms(*map(partial, [seeded_step] * 2, (ours, peer), optimizers))
    torch.testing.assert_close(arms.ours(), arms.peer(), rtol=1e-3, atol=0)
    return arms


@bench('inference_mask_dino_demo', 'no post-processing', 0.67, precisions=ALL)
def inference(device: torch.device) -> Arms:
    """What post-processing adds: a ratio below 1, the closer the better."""
    model = demo_model(device).eval()
    inputs, samples = batch(model, 'demo')

    @torch.no_grad()
    def results() -> object:
        return model.predict(inputs, samples)

    @torch.no_grad()
    def outputs() -> object:
        return model.panoptic_head.predict(model.extract_feat(inputs), samples)

    return Arms(results, outputs)
