"""Checkpoints for a model of another shape, and of mmdet's DINO."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.hub import get_config
from mmengine.registry import MODELS, DefaultScope

from mmseg_plugin.converters.dino import from_dino, is_dino
from mmseg_plugin.converters.fit import fit
from mmseg_plugin.registry import MODELS as OURS
from tests.tiny_mask_dino import tiny_mask_dino, tiny_mask_dino_config


def state_of(**changes):
    return tiny_mask_dino(num_stuff_classes=0, **changes).state_dict()


def test_other_classes_keep_every_other_tensor():
    old, new = state_of(), state_of(num_things_classes=5)
    result = fit(old, new)
    fresh = dict(result.fresh)
    assert set(fresh) == {
        'cls_embed.weight',
        'cls_embed.bias',
        'dn_query_generator.label_embedding.weight',
    }
    assert fresh['cls_embed.bias'] == (
        'other classes: (3,) in the file, (5,) here'
    )
    assert result.state.keys() == new.keys() - fresh.keys()
    assert all(
        torch.equal(result.state[key], old[key]) for key in result.state
    )
    assert result.unused == []


def test_other_queries_are_explained():
    old = state_of(learn_query_feat=True)
    new = state_of(learn_query_feat=True, num_queries=9)
    assert fit(old, new).fresh == [
        (
            'query_feat.weight',
            'other queries: (7, 32) in the file, (9, 32) here',
        )
    ]


def test_other_levels_are_explained():
    pixel_decoder = tiny_mask_dino_config()['pixel_decoder']
    more = {**pixel_decoder, 'num_extra_levels': 2}
    old, new = state_of(), state_of(pixel_decoder=more)
    why = dict(fit(old, new).fresh)
    name = 'pixel_decoder.level_encoding.weight'
    assert why[name].startswith('other levels: (4, ')
    assert any(
        'other levels, heads or points' in part for part in why.values()
    )


def test_unused_names():
    old = new = state_of()
    result = fit(old | {'teacher.weight': torch.zeros(1)}, new)
    assert result.unused == ['teacher.weight']
    assert result.fresh == []


@pytest.fixture(scope='module')
def dino():
    """mmdet's DINO with random weights and one layer each."""
    config = get_config('mmdet::dino/dino-4scale_r50_8xb2-12e_coco.py').model
    config.backbone.init_cfg = None
    config.encoder.num_layers = config.decoder.num_layers = 1
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return model


@pytest.fixture(params=['low2high', 'high2low'])
def head(request, dino):
    """Mask DINO's head with what carries over, and what does not."""
    config = tiny_mask_dino_config(
        num_stuff_classes=0,
        num_things_classes=80,
        in_channels=[256, 512, 1024, 2048],
        feat_channels=256,
        out_channels=256,
        pixel_decoder={
            'type': 'mmseg_plugin.MaskDINOEncoder',
            'feature_order': request.param,
            'num_layers': 1,
        },
        transformer_decoder={'num_layers': 1},
    )
    built = OURS.build(config).eval()
    assert is_dino(dino.state_dict())
    assert not is_dino(built.state_dict())
    names = {f'panoptic_head.{k}': v for k, v in built.state_dict().items()}
    result = fit(from_dino(dino.state_dict(), request.param), names)
    state = {
        key.removeprefix('panoptic_head.'): value
        for key, value in result.state.items()
    }
    built.load_state_dict(state, strict=False)
    return built, result


@torch.no_grad()
def test_encoder_of_dino(dino, head):
    built, _ = head
    for conv in built.pixel_decoder.input_convs:
        conv.conv.bias.zero_()
    sizes = [(16, 24), (8, 12), (4, 6), (2, 3)]
    maps = [torch.randn(1, 256 * 2**i, *size) for i, size in enumerate(sizes)]
    sample = DetDataSample(metainfo={'img_shape': (64, 96)})
    sample.set_metainfo({'batch_input_shape': (64, 96)})
    # mmdet's DINO encodes positions at a temperature of 20.
    dino.positional_encoding.temperature = 10000
    inputs, _ = dino.pre_transformer(dino.neck(maps[1:]), [sample])
    memory = dino.forward_encoder(**inputs)['memory']
    _, levels = built.pixel_decoder(maps)
    if built.pixel_decoder.feature_order == 'high2low':
        levels = levels[::-1]
    got = torch.cat([level.flatten(2).mT for level in levels], 1)
    torch.testing.assert_close(got, memory, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_decoder_looks_at_the_levels_of_dino(dino, head):
    built, _ = head
    sizes = torch.tensor([[8, 12], [4, 6], [2, 3], [1, 2]])
    memory = torch.randn(1, 128, 256)
    query, boxes = torch.randn(1, 5, 256), torch.rand(1, 5, 1, 4)

    def attend(model, sizes, memory):
        return model.layers[0].cross_attn(
            query,
            value=memory,
            reference_points=boxes.expand(-1, -1, 4, -1),
            spatial_shapes=sizes,
            level_start_index=sizes.prod(1).cumsum(0) - sizes.prod(1),
        )

    want = attend(dino.decoder, sizes, memory)
    if built.pixel_decoder.feature_order == 'low2high':
        memory = torch.cat(memory.split(sizes.prod(1).tolist(), 1)[::-1], 1)
        sizes = sizes.flip(0)
    got = attend(built.transformer_decoder, sizes, memory)
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


def test_what_dino_has_not_starts_anew(dino, head):
    built, result = head
    parts = {key.split('.')[1] for key, _ in result.fresh}
    assert parts <= {'pixel_decoder', 'mask_embed', 'transformer_decoder'}
    last = dino.bbox_head.cls_branches[0]
    assert torch.equal(built.cls_embed.weight, last.weight)
    last = dino.bbox_head.reg_branches[0][4]
    assert torch.equal(built.bbox_embed.layers[2].weight, last.weight)
    unused = {key.split('.')[0] for key in result.unused}
    assert unused == {'backbone', 'bbox_head', 'query_embedding'}
