"""Whole Mask2Former models, against mmdet's: a training step, inference.

A step is forward pass, backward pass, clipping and the optimizer's.
"""

import copy
from functools import partial
from typing import Any

import torch
from harness import CPU, Arms, bench
from mask_path import ellipses
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData, PixelData
from model_pairs import demo_configs, r50_configs, with_equal_weights
from precisions import ALL
from torch import Tensor, nn

CONFIGS = {
    'r50_512': (r50_configs, 512, 2),
    # Size of image and batch of its config.
    'demo': (demo_configs, 256, 4),
}
TARGETS = 20


def models(name: str, device: torch.device) -> tuple[nn.Module, nn.Module]:
    """Our detector and mmdet's, with the same weights."""
    configs = (config.model for config in CONFIGS[name][0]())
    ours, peer = with_equal_weights(*configs)
    return ours.to(device), peer.to(device)


def optimizer_of(model: nn.Module, config: Config, **changes: Any) -> Any:
    """The optimizer of a config, which leaves the weights as they are.

    Every step is then the same.
    """
    own = copy.deepcopy(config.optim_wrapper)
    own.update(changes)
    wrapper = build_optim_wrapper(model, own)
    for group in wrapper.param_groups:
        group['lr'] = 0.0
    return wrapper


def batch(model: Any, name: str) -> tuple[Tensor, list[DetDataSample]]:
    """Noise to look at; ellipses, and one stuff class, to find in it.

    On the model's device.
    """
    torch.manual_seed(0)
    device = next(model.parameters()).device
    _, size, count = CONFIGS[name]
    num_things = model.panoptic_head.num_things_classes
    samples = []
    for _ in range(count):
        masks = ellipses(TARGETS, size)
        meta = {
            'batch_input_shape': (size, size),
            'img_shape': (size, size),
            'ori_shape': (size, size),
            'scale_factor': (1.0, 1.0),
        }
        sample = DetDataSample(metainfo=meta)
        sample.gt_instances = InstanceData(
            labels=torch.randint(num_things, (TARGETS,)),
            masks=BitmapMasks(masks.byte().numpy(), size, size),
        )
        if model.panoptic_head.num_stuff_classes:
            stuff = torch.full((1, size, size), num_things)
            sample.gt_sem_seg = PixelData(sem_seg=stuff)
        samples.append(sample.to(device))
    return torch.randn(count, 3, size, size).to(device), samples


def step(
    model: Any, optimizer: Any, inputs: Tensor, samples: list[DetDataSample]
) -> Tensor:
    """One step of training; the loss."""
    losses = model.loss(inputs, samples)
    total = torch.stack([loss.sum() for loss in losses.values()]).sum()
    optimizer.update_params(total)
    return total.detach()


def step_arms(name: str, device: torch.device) -> Arms:
    both = models(name, device)
    data = batch(both[0], name)
    # mmdet's runs have the constructor of MMEngine.
    ours, peer = (
        partial(step, model, optimizer_of(model, config, **changes), *data)
        for model, config, changes in zip(
            both,
            CONFIGS[name][0](),
            ({}, {'constructor': 'DefaultOptimWrapperConstructor'}),
            strict=True,
        )
    )
    return Arms(ours, peer)


def checked_step(name: str, device: torch.device) -> Arms:
    both = step_arms(name, device)
    # Random points: the losses agree in the mean only. The outputs and, at
    # given points, the losses are compared by the tests.
    torch.testing.assert_close(both.ours(), both.peer(), rtol=0.05, atol=0)
    return both


def inference(name: str, device: torch.device) -> Arms:
    ours, peer = models(name, device)
    inputs, samples = batch(ours, name)

    @torch.no_grad()
    def outputs(model: Any) -> tuple[Tensor, Tensor]:
        head = model.eval().panoptic_head
        logits, masks = head.predict(model.extract_feat(inputs), samples)
        return logits, masks if isinstance(masks, Tensor) else masks.dense()

    for mine, other in zip(outputs(ours), outputs(peer), strict=True):
        size = other.shape[-2:]
        if mine.dim() == 4 and mine.shape != other.shape:
            mine = nn.functional.interpolate(mine, size, mode='bilinear')
        atol = 1e-2 * other.abs().max().item()
        wrong = (mine - other).abs() > atol
        assert wrong.float().mean() < 1e-2

    @torch.no_grad()
    def predict(model: Any) -> object:
        return model.eval().predict(inputs, samples)

    return Arms(lambda: predict(ours), lambda: predict(peer))


for _name, _target in zip(CONFIGS, (2.2, 2.0), strict=True):
    bench(f'step_m2f_{_name}', 'mmdet model', _target, precisions=ALL)(
        lambda device, name=_name: checked_step(name, device)
    )
    bench(f'step_m2f_{_name}_memory', 'mmdet model', 1, unit='MB')(
        lambda name=_name: step_arms(name, CPU.device)
    )
    bench(f'inference_m2f_{_name}', 'mmdet model', 1.3, precisions=ALL)(
        lambda device, name=_name: inference(name, device)
    )
