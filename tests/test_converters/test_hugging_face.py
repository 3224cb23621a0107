"""Conversion from and to transformers, whose models are the reference."""

import json
import subprocess
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from mmseg_plugin.converters import carry_over
from mmseg_plugin.converters.files import read_state
from mmseg_plugin.converters.hf_folder import read_folder, write_folder
from mmseg_plugin.converters.hf_leaf import leaf_config

transformers = pytest.importorskip('transformers')

SIZES = {'out_features': ['stage1', 'stage2', 'stage3', 'stage4']}
HEADS = 8
METHODS = ('mask2former', 'maskformer')
RESNETS = {'r50': [3, 4, 6, 3], 'r101': [3, 4, 23, 3], 'r152': [3, 8, 36, 3]}
# Width, blocks of the third stage, heads of the first one, window.
SWINS = {
    'swin-t': (96, 6, 3, 7),
    'swin-s': (96, 18, 3, 7),
    'swin-b': (128, 18, 4, 12),
    'swin-l': (192, 18, 6, 12),
}
VARIANTS = [f'{m}-{b}' for m in METHODS for b in (*RESNETS, *SWINS)]
SMALLEST = [f'{m}-{b}' for m in METHODS for b in ('r50', 'swin-t')]
# As the published ones have it.
PROCESSOR = {
    '_max_size': 1333,
    'do_normalize': True,
    'do_rescale': True,
    'do_resize': True,
    'ignore_index': 255,
    'image_mean': [
        0.48500001430511475,
        0.4560000002384186,
        0.4059999883174896,
    ],
    'image_std': [0.2290000021457672, 0.2239999920129776, 0.22499999403953552],
    'reduce_labels': False,
    'resample': 2,
    'rescale_factor': 0.00392156862745098,
    'size': {'longest_edge': 1333, 'shortest_edge': 800},
    'size_divisor': 32,
}


def backbone_of(name):
    if name in RESNETS:
        return transformers.ResNetConfig(
            embedding_size=64,
            hidden_sizes=[256, 512, 1024, 2048],
            depths=RESNETS[name],
            **SIZES,
        )
    width, blocks, heads, window = SWINS[name]
    return transformers.SwinConfig(
        embed_dim=width,
        depths=[2, 2, blocks, 2],
        num_heads=[heads * 2**stage for stage in range(4)],
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


@pytest.fixture
def case(request, tmp_path):
    """Method, transformers' model and its folder, in parts."""
    torch.manual_seed(0)
    method, _, name = request.param.partition('-')
    make = {'mask2former': mask2former, 'maskformer': maskformer}[method]
    model = make(backbone_of(name), 5, 11).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            # Biases and norms that are all alike would hide a mix-up.
            if parameter.ndim == 1 and 'layernorm' not in key.split('.'):
                parameter.add_(torch.randn_like(parameter) * 0.05)
    folder = tmp_path / 'hf'
    model.save_pretrained(folder, max_shard_size='60MB')
    (folder / 'preprocessor_config.json').write_text(json.dumps(PROCESSOR))
    return method, model, folder


variants = pytest.mark.parametrize('case', VARIANTS, indirect=True)
smallest = pytest.mark.parametrize('case', SMALLEST, indirect=True)


def built(folder, path):
    """The model of the config that the tool writes for a folder."""
    path.write_text(leaf_config(folder, path.with_suffix('.pth')))
    config = Config.fromfile(path)
    init_default_scope('mmdet')
    return MODELS.build(config.model).eval()


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


# Sides that windows do not divide are padded by the official code;
# transformers' MaskFormer shrinks windows instead, see docs/convert.md.
@variants
@torch.no_grad()
def test_logits_are_those_of_transformers_and_back(case, tmp_path):
    method, model, folder = case
    plugin = built(folder, tmp_path / 'leaf.py')
    state = read_folder(folder, method)
    there = carry_over(method, state, 'hf', 'mmdet')
    load(plugin, there.state)
    window = getattr(model.config.backbone_config, 'window_size', 7)
    # Rounding grows from block to block of a random Swin.
    model.double()
    plugin.double()
    short = 32 * window if method == 'maskformer' else 224
    sides = (short, 448 if short == 224 else short)
    image = torch.randn(1, 3, *sides, dtype=torch.double)
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
    write_folder(back.state, tmp_path / 'back', method, list('abcde'))
    model.float()
    again, info = type(model).from_pretrained(
        tmp_path / 'back', output_loading_info=True
    )
    assert not info['missing_keys']
    assert not info['unexpected_keys']
    assert again.config.id2label == dict(enumerate('abcde'))
    values = again.state_dict()
    assert values.keys() == model.state_dict().keys()
    for key, value in model.state_dict().items():
        torch.testing.assert_close(values[key], value, rtol=0, atol=0)


@smallest
def test_tool_writes_a_folder_that_transformers_loads(
    case, run_tool, tmp_path
):
    method, model, folder = case
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
    model = maskformer(backbone_of('swin-t'), 3, 4).to(torch.bfloat16)
    model.save_pretrained(tmp_path / 'hf')
    state = read_folder(tmp_path / 'hf')
    floats = [v.dtype for v in state.values() if v.is_floating_point()]
    assert set(floats) == {torch.float32}


@smallest
def test_read_state_of_a_converted_file_is_plain(case, run_tool, tmp_path):
    method, _, folder = case
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


@smallest
def test_config_names_the_sizes_of_the_weights(case, tmp_path):
    from mmseg_plugin.converters.hf_config import config_of

    method, model, folder = case
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
