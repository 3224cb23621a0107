"""Conversion from and to transformers, whose models are the reference."""

import json
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from mmseg_plugin.cli.configs import find_config
from mmseg_plugin.converters import carry_over
from mmseg_plugin.converters.files import read_state
from mmseg_plugin.converters.hf_folder import read_folder

transformers = pytest.importorskip('transformers')

SIZES = {'out_features': ['stage1', 'stage2', 'stage3', 'stage4']}
HEADS = 8


def resnet():
    return transformers.ResNetConfig(
        embedding_size=64,
        hidden_sizes=[256, 512, 1024, 2048],
        depths=[3, 4, 6, 3],
        **SIZES,
    )


def swin(window=7):
    return transformers.SwinConfig(
        embed_dim=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=window,
        image_size=32 * window,
        **SIZES,
    )


def mask2former(backbone, classes, queries):
    config = transformers.Mask2FormerConfig(
        backbone_config=backbone,
        id2label={i: f'class {i}' for i in range(classes)},
        num_queries=queries,
        decoder_layers=4,
        encoder_layers=2,
        encoder_feedforward_dim=64,
        dim_feedforward=48,
    )
    return transformers.Mask2FormerForUniversalSegmentation(config)


def maskformer(backbone, classes, queries):
    config = transformers.MaskFormerConfig(
        backbone_config=backbone,
        decoder_config=transformers.DetrConfig(
            d_model=256,
            encoder_layers=0,
            decoder_layers=2,
            decoder_ffn_dim=48,
            decoder_attention_heads=HEADS,
            num_queries=queries,
        ),
        id2label={i: f'class {i}' for i in range(classes)},
    )
    return transformers.MaskFormerForInstanceSegmentation(config)


def plugin_mask2former(name, classes, queries):
    config = Config.fromfile(find_config(name))
    head = config.model.panoptic_head
    head.update(num_things_classes=classes, num_stuff_classes=0)
    head.num_queries = queries
    encoder = head.pixel_decoder.encoder
    encoder.num_layers = 2
    encoder.layer_cfg.ffn_cfg.feedforward_channels = 64
    head.transformer_decoder.num_layers = 3
    decoder_ffn = head.transformer_decoder.layer_cfg.ffn_cfg
    decoder_ffn.feedforward_channels = 48
    head.loss_cls.class_weight = [1.0] * classes + [0.1]
    return build(config)


def plugin_maskformer(name, classes, queries):
    config = Config.fromfile(find_config(name))
    head = config.model.panoptic_head
    head.update(num_things_classes=classes, num_stuff_classes=0)
    head.num_queries = queries
    # transformers has the variant without an encoder only.
    head.pixel_decoder = {
        'type': 'mmdet.PixelDecoder',
        'norm_cfg': {'type': 'GN', 'num_groups': 32},
        'act_cfg': {'type': 'ReLU'},
    }
    head.enforce_decoder_input_project = False
    head.transformer_decoder.num_layers = 2
    decoder_ffn = head.transformer_decoder.layer_cfg.ffn_cfg
    decoder_ffn.feedforward_channels = 48
    head.loss_cls.class_weight = [1.0] * classes + [0.1]
    if 'swin' in name:
        config.model.backbone.update(
            embed_dims=96,
            depths=[2, 2, 6, 2],
            num_heads=[3, 6, 12, 24],
            window_size=7,
        )
        head.in_channels = [96, 192, 384, 768]
    return build(config)


def build(config):
    config.model.panoptic_fusion_head.update(
        num_things_classes=config.model.panoptic_head.num_things_classes,
        num_stuff_classes=0,
    )
    config.model.backbone.init_cfg = None
    init_default_scope('mmdet')
    return MODELS.build(config.model).eval()


CASES = {
    'mask2former-resnet': (
        'mask2former',
        lambda *size: mask2former(resnet(), *size),
        lambda *size: plugin_mask2former(
            'mask2former_r50_8xb2-lsj-50e_coco', *size
        ),
    ),
    'mask2former-swin': (
        'mask2former',
        lambda *size: mask2former(swin(), *size),
        lambda *size: plugin_mask2former(
            'mask2former_swin-t-p4-w7-224_8xb2-lsj-50e_coco', *size
        ),
    ),
    'maskformer-resnet': (
        'maskformer',
        lambda *size: maskformer(resnet(), *size),
        lambda *size: plugin_maskformer(
            'maskformer_r50_ms-16xb1-75e_coco-panoptic', *size
        ),
    ),
    'maskformer-swin': (
        'maskformer',
        lambda *size: maskformer(swin(), *size),
        lambda *size: plugin_maskformer(
            'maskformer_swin-l-p4-w12_64xb1-ms-300e_coco-panoptic', *size
        ),
    ),
}


@pytest.fixture(params=CASES)
def case(request, tmp_path):
    """Method, transformers' model, its folder, the plugin's model."""
    torch.manual_seed(0)
    method, make, plugin = CASES[request.param]
    size = (5, 11)
    model = make(*size).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Biases and norms that are all alike would hide a mix-up.
            if parameter.ndim == 1 and 'layernorm' not in name.split('.'):
                parameter.add_(torch.randn_like(parameter) * 0.05)
    folder = tmp_path / 'hf'
    model.save_pretrained(folder, max_shard_size='60MB')
    return method, model, folder, plugin(*size)


def load(model, state):
    """Strictly, but for counters and what belongs to the config."""
    own = model.state_dict()
    ignored = ('num_batches_tracked', 'mean', 'std')
    missing = {
        key for key in own.keys() - state.keys() if not key.endswith(ignored)
    }
    assert not missing
    assert not state.keys() - own.keys()
    model.load_state_dict(state, strict=False)


# Sides that windows of 7 do not divide are padded by the official code;
# transformers' MaskFormer shrinks windows instead, see docs/convert.md.
@torch.no_grad()
def test_logits_are_those_of_transformers_and_back(case):
    method, model, folder, plugin = case
    state = read_folder(folder, method)
    there = carry_over(method, state, 'hf', 'mmdet')
    load(plugin, there.state)
    # Rounding grows from block to block of a random Swin.
    model.double()
    plugin.double()
    image = torch.randn(1, 3, 224, 448, dtype=torch.double)
    expected = model(pixel_values=image)
    predictions = plugin.panoptic_head(plugin.backbone(image), None)
    masks = predictions.masks
    logits = torch.einsum('bqd,bdhw->bqhw', masks.embed[-1], masks.features)
    torch.testing.assert_close(
        predictions.cls_logits[-1].double(),
        expected.class_queries_logits,
        rtol=0,
        atol=1e-4,
    )
    torch.testing.assert_close(
        logits.double(), expected.masks_queries_logits, rtol=0, atol=1e-4
    )

    back = carry_over(method, there.state, 'mmdet', 'hf')
    assert back.state.keys() == state.keys()
    for key, value in state.items():
        torch.testing.assert_close(back.state[key], value, rtol=0, atol=0)


def test_tool_writes_a_folder_that_transformers_loads(
    case, run_tool, tmp_path
):
    method, model, folder, _ = case
    sides = ('--from', 'hf', '--to', 'mmdet')
    done = run_tool('convert', method, folder, 'there.pth', *sides)
    assert done.returncode == 0, done.stderr
    names = [f'thing {i}' for i in range(5)]
    content = torch.load(tmp_path / 'there.pth', weights_only=True)
    meta = {'dataset_meta': {'classes': names}}
    torch.save({**content, 'meta': meta}, tmp_path / 'named.pth')
    sides = ('--from', 'mmdet', '--to', 'hf')
    done = run_tool('convert', method, 'named.pth', 'back', *sides)
    assert done.returncode == 0, done.stderr

    kind = type(model)
    again, info = kind.from_pretrained(
        tmp_path / 'back', output_loading_info=True
    )
    assert not info['missing_keys']
    assert not info['unexpected_keys']
    assert again.config.id2label == dict(enumerate(names))
    image = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        one, two = model(pixel_values=image), again(pixel_values=image)
    torch.testing.assert_close(
        one.class_queries_logits, two.class_queries_logits
    )
    torch.testing.assert_close(
        one.masks_queries_logits, two.masks_queries_logits
    )


def test_half_precision_becomes_float32(tmp_path):
    model = maskformer(swin(), 3, 4).to(torch.bfloat16)
    model.save_pretrained(tmp_path / 'hf')
    state = read_folder(tmp_path / 'hf')
    floats = [v.dtype for v in state.values() if v.is_floating_point()]
    assert set(floats) == {torch.float32}


def test_read_state_of_a_converted_file_is_plain(case, run_tool, tmp_path):
    method, _, folder, _ = case
    sides = ('--from', 'hf', '--to', 'd2')
    done = run_tool('convert', method, folder, 'official.pth', *sides)
    assert done.returncode == 0, done.stderr
    state = read_state(tmp_path / 'official.pth', 'd2')
    assert 'sem_seg_head.predictor.class_embed.weight' in state
    direct = carry_over(method, read_folder(folder), 'hf', 'mmdet')
    onwards = carry_over(method, state, 'd2', 'mmdet')
    assert onwards.state.keys() == direct.state.keys()


def test_mmdet_is_not_slowed_by_the_converters():
    code = (
        'import sys, mmseg_plugin.converters; '
        "print('transformers' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert done.stdout.split() == ['False']


def test_config_names_the_sizes_of_the_weights(case, tmp_path):
    from mmseg_plugin.converters.hf_config import config_of

    method, model, folder, _ = case
    config = config_of(method, read_folder(folder), None)
    saved = json.loads((folder / 'config.json').read_text())
    decoders = [c.get('decoder_config', {}) for c in (config, saved)]
    backbones = [c['backbone_config'] for c in (config, saved)]
    own = {
        key: value
        for key, value in config.items()
        if not isinstance(value, dict) and key in saved
    }
    assert own == {key: saved[key] for key in own}
    for ours, theirs in (decoders, backbones):
        assert ours.items() <= theirs.items()
