"""Learning rates by layer, by hand."""

import pytest
from mmengine.optim import build_optim_wrapper
from torch import nn

import mmseg_plugin.registry  # noqa: F401
from mmseg_plugin.engine.optim.layer_decay import layer_scales


def vit(blocks=2):
    body = nn.Module()
    body.patch_embed = nn.Conv2d(3, 4, 2)
    body.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(blocks))
    body.norm = nn.LayerNorm(4)
    return body


def convnext(depths=(1, 1, 4, 1)):
    # timm's names where it gives features.
    body = nn.Module()
    body.stem_0 = nn.Conv2d(3, 4, 2)
    for number, depth in enumerate(depths):
        stage = nn.Module()
        if number:
            stage.downsample = nn.Sequential(nn.LayerNorm(4))
        stage.blocks = nn.Sequential(*(nn.Linear(4, 4) for _ in range(depth)))
        body.add_module(f'stages_{number}', stage)
    return body


def rates(body, **paramwise):
    model = nn.Module()
    model.backbone = nn.Module()
    model.backbone.body = body
    # Is in stages too, and not pretrained.
    model.backbone.pyramid = nn.Module()
    model.backbone.pyramid.stages = nn.Sequential(nn.Linear(4, 4))
    model.head = nn.Linear(4, 2)
    wrapper = build_optim_wrapper(
        model,
        {
            'constructor': 'mmseg_plugin.MergedOptimWrapperConstructor',
            'optimizer': {'type': 'AdamW', 'lr': 1.0, 'weight_decay': 0.1},
            'paramwise_cfg': {'layer_decay': 0.5, **paramwise},
        },
    )
    rate = {
        id(p): group['lr']
        for group in wrapper.optimizer.param_groups
        for p in group['params']
    }
    return {name: rate[id(p)] for name, p in model.named_parameters()}


def test_a_vision_transformer_has_a_layer_for_each_block():
    found = rates(vit())
    assert found['backbone.body.patch_embed.weight'] == 0.125
    assert found['backbone.body.blocks.0.weight'] == 0.25
    assert found['backbone.body.blocks.1.bias'] == 0.5
    assert found['backbone.body.norm.weight'] == 1
    assert found['backbone.pyramid.stages.0.weight'] == 1
    assert found['head.weight'] == 1


def test_convnext_has_a_layer_for_three_blocks_of_the_third_stage():
    found = rates(convnext())
    stage = 'backbone.body.stages_{}.blocks.{}.weight'
    # 4 blocks: layers 3 and 4; the fourth stage is layer 5 of 5.
    assert found['backbone.body.stem_0.weight'] == 0.5**6
    assert found[stage.format(0, 0)] == 0.5**5
    assert found[stage.format(1, 0)] == 0.5**4
    assert found['backbone.body.stages_2.downsample.0.weight'] == 0.5**3
    assert found[stage.format(2, 2)] == 0.5**3
    assert found[stage.format(2, 3)] == 0.5**2
    assert found[stage.format(3, 0)] == 0.5
    assert found['head.bias'] == 1


def test_custom_keys_count_beside_it():
    found = rates(vit(), custom_keys={'backbone': {'lr_mult': 0.1}})
    assert found['backbone.body.blocks.1.weight'] == pytest.approx(0.05)
    assert found['head.weight'] == 1


def test_what_has_no_layers_is_refused():
    with pytest.raises(ValueError, match='needs a plain Vision Transformer'):
        rates(nn.Linear(4, 4))
    with pytest.raises(ValueError, match='layer_decay of paramwise_cfg is 2'):
        layer_scales([], 2)
