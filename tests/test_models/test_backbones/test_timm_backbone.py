"""Backbones of timm: run by ``make test-timm``, skipped without it."""

import copy

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, init_default_scope

from mmseg_plugin.cli.configs import find_config
from mmseg_plugin.models.backbones import TimmBackbone
from mmseg_plugin.models.detectors.channels import (
    feature_channels,
    fill_in_channels,
)
from tests.torchvision_operators import declare

declare()
timm = pytest.importorskip('timm')

# One of each family that takes images of any size, small ones.
PYRAMIDS = (
    'convnext_atto',
    'davit_tiny',
    'edgenext_xx_small',
    'efficientvit_b0',
    'fastvit_t8',
    'focalnet_tiny_srf',
    'mambaout_femto',
    'mobilenetv3_small_050',
    'mvitv2_tiny',
    'nextvit_small',
    'poolformer_s12',
    'pvt_v2_b0',
    'regnety_002',
    'repvit_m0_9',
    'resnet18',
    'sam2_hiera_tiny',
    'swin_tiny_patch4_window7_224',
    'swinv2_tiny_window8_256',
    'tiny_vit_5m_224',
    'twins_pcpvt_small',
)
PLAIN = (
    'deit_tiny_patch16_224',
    'eva02_tiny_patch14_224',
    'vit_small_patch16_dinov3',
    'vit_tiny_patch16_224',
    'xcit_nano_12_p16_224',
)
# Stages lie in several modules.
MIXED = {'twins_pcpvt_small'}
SIZES = ((128, 160), (97, 161), (64, 224))


@pytest.mark.parametrize('name', PYRAMIDS + PLAIN)
def test_maps_have_the_stated_channels_and_strides_at_any_size(name):
    torch.manual_seed(0)
    backbone = TimmBackbone(name, pretrained=False).eval()
    assert backbone.strides == (4, 8, 16, 32)
    for height, width in SIZES:
        with torch.no_grad():
            maps = backbone(torch.randn(2, 3, height, width))
        shapes = [tuple(m.shape) for m in maps]
        assert shapes == [
            (2, channels, -(-height // stride), -(-width // stride))
            for channels, stride in zip(
                backbone.out_channels, backbone.strides, strict=True
            )
        ]


@pytest.mark.parametrize('name', PYRAMIDS + PLAIN)
def test_every_trainable_parameter_gets_a_gradient(name):
    torch.manual_seed(0)
    backbone = TimmBackbone(name, pretrained=False)
    maps = backbone(torch.randn(2, 3, 96, 128))
    sum(m.square().mean() for m in maps).backward()
    missing = [
        key
        for key, value in backbone.named_parameters()
        if value.requires_grad and value.grad is None
    ]
    assert not missing


@pytest.mark.parametrize('name', PYRAMIDS)
def test_features_are_those_of_timm(name):
    torch.manual_seed(0)
    backbone = TimmBackbone(name, pretrained=False).eval()
    image = torch.randn(1, 3, 128, 160)
    with torch.no_grad():
        theirs = backbone.body(image)
        ours = backbone(image)
    for one, two in zip(ours, theirs, strict=True):
        if one.shape != two.shape:
            two = two.permute(0, 3, 1, 2)
        assert torch.equal(one, two)


def test_last_map_of_a_plain_transformer_is_that_of_timm():
    torch.manual_seed(0)
    backbone = TimmBackbone('vit_tiny_patch16_224', pretrained=False).eval()
    image = torch.randn(1, 3, 96, 128)
    seen = []
    backbone.pyramid.register_forward_pre_hook(
        lambda module, args: seen.append(args[0])
    )
    with torch.no_grad():
        backbone(image)
        model = timm.create_model(
            'vit_tiny_patch16_224', dynamic_img_size=True
        ).eval()
        weights = {
            key.removeprefix('model.'): value
            for key, value in backbone.body.state_dict().items()
        }
        missing = model.load_state_dict(weights, strict=False)
        assert not missing.unexpected_keys
        expected = model.forward_intermediates(
            image, indices=[11], norm=False, intermediates_only=True
        )
    assert torch.equal(seen[0], expected[0])


def test_frozen_and_norm_eval_hold_in_training():
    backbone = TimmBackbone('resnet18', pretrained=False, frozen=True)
    backbone.train()
    before = copy.deepcopy(backbone.state_dict())
    maps = backbone(torch.randn(2, 3, 64, 64))
    assert not any(m.requires_grad for m in maps)
    after = backbone.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)

    backbone = TimmBackbone('resnet18', pretrained=False, norm_eval=True)
    backbone.train()
    before = backbone.body.bn1.running_mean.clone()
    backbone(torch.randn(2, 3, 64, 64))
    assert torch.equal(before, backbone.body.bn1.running_mean)


@pytest.mark.parametrize('name', PYRAMIDS + PLAIN)
def test_first_stages_are_frozen_and_the_rest_is_trained(name):
    if name in MIXED:
        with pytest.raises(ValueError, match='are no modules of their own'):
            TimmBackbone(name, pretrained=False, frozen_stages=1)
        return

    def trained(stages):
        torch.manual_seed(0)
        backbone = TimmBackbone(
            name, pretrained=False, frozen_stages=stages
        ).train()
        before = copy.deepcopy(backbone.body.state_dict())
        sum(
            m.square().mean() for m in backbone(torch.randn(2, 3, 96, 128))
        ).backward()
        frozen, rest = set(), set()
        for key, value in backbone.body.named_parameters():
            (rest if value.requires_grad else frozen).add(key)
            assert (value.grad is not None) == value.requires_grad
        changed = {
            key
            for key, value in backbone.body.state_dict().items()
            if not torch.equal(before[key], value)
        }
        # Statistics of norms that belong to what is frozen.
        owners = {key.rpartition('.')[0] for key in changed}
        assert not owners & {key.rpartition('.')[0] for key in frozen}
        return frozen, rest

    (stem, _), (first, _), (second, rest) = map(trained, (0, 1, 2))
    assert stem < first < second
    assert stem
    assert rest
    with pytest.raises(ValueError, match='frozen_stages=99 is too many'):
        TimmBackbone(name, pretrained=False, frozen_stages=99)


@pytest.mark.parametrize('name', ['convnext_atto', 'vit_tiny_patch16_224'])
def test_checkpointing_changes_no_gradient(name):
    def gradients(with_cp):
        torch.manual_seed(0)
        backbone = TimmBackbone(name, pretrained=False, with_cp=with_cp)
        image = torch.linspace(-1, 1, 3 * 64 * 64).reshape(1, 3, 64, 64)
        sum(m.square().mean() for m in backbone(image)).backward()
        return [p.grad for p in backbone.body.parameters()]

    for one, two in zip(gradients(True), gradients(False), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            {'name': 'convnext_tinny'},
            "has no 'convnext_tinny'; near it: convnext_tiny",
        ),
        ({'name': 'resnet18', 'strides': (4, 6)}, r'none of \[6\]'),
        ({'name': 'hiera_tiny_224'}, 'does not take images of any size'),
        ({'name': 'inception_v3'}, 'its map of stride 4 is'),
        ({'name': 'repvit_m0_9', 'with_cp': True}, ''),
    ],
)
def test_what_cannot_be_is_one_sentence(options, message):
    if not message:
        TimmBackbone(pretrained=False, **options)
        return
    with pytest.raises(ValueError, match=message):
        TimmBackbone(pretrained=False, **options)


def test_without_a_network_weights_are_random_with_one_warning(monkeypatch):
    create = timm.create_model

    def offline(name, pretrained=False, **options):
        if pretrained:
            raise FileNotFoundError('no network')
        return create(name, pretrained=False, **options)

    monkeypatch.setattr(timm, 'create_model', offline)
    with pytest.warns(UserWarning, match='starts from random') as caught:
        backbone = TimmBackbone('convnext_atto')
    assert len([w for w in caught if 'random' in str(w.message)]) == 1
    assert len(backbone(torch.randn(1, 3, 64, 64))) == 4


# ---- channels, of mmdet's backbones too ----


@pytest.mark.parametrize(
    ('backbone', 'channels'),
    [
        ({'type': 'mmdet.ResNet', 'depth': 50}, [256, 512, 1024, 2048]),
        ({'type': 'mmdet.ResNet', 'depth': 18}, [64, 128, 256, 512]),
        ({'type': 'mmdet.SwinTransformer'}, [96, 192, 384, 768]),
        (
            {
                'type': 'mmseg_plugin.TimmBackbone',
                'name': 'vit_tiny_patch16_224',
                'out_channels': 64,
            },
            [64] * 4,
        ),
    ],
)
def test_channels_are_found_without_memory(backbone, channels):
    init_default_scope('mmdet')
    assert feature_channels(ConfigDict(backbone)) == channels


def test_only_the_first_part_is_filled():
    backbone = ConfigDict(type='mmdet.ResNet', depth=18)
    neck = ConfigDict(in_channels=None)
    head = ConfigDict(in_channels=None)
    filled = fill_in_channels(backbone, neck, head)
    assert filled[0].in_channels == [64, 128, 256, 512]
    assert filled[1] is head
    assert neck.in_channels is None


@pytest.mark.parametrize(
    'name',
    [
        'mask2former_convnext-t-dinov3_8xb2-lsj-50e_coco',
        'mask2former_vit-s-dinov3_8xb2-lsj-50e_coco',
        'maskdino_convnext-t-dinov3_8xb2-lsj-50e_coco',
        'maskdino_vit-s-dinov3_8xb2-lsj-50e_coco',
    ],
)
def test_configs_build_and_run(name):
    config = Config.fromfile(find_config(name))
    init_default_scope('mmdet')
    config.model.backbone.pretrained = False
    model = MODELS.build(config.model).eval()
    shapes = {'img_shape': (96, 128), 'batch_input_shape': (96, 128)}
    samples = [DetDataSample(metainfo=shapes)]
    with torch.no_grad():
        features = model.extract_feat(torch.randn(1, 3, 96, 128))
        logits, *_ = model.panoptic_head.predict(features, samples)
    assert logits.isfinite().all()
