"""Settings of transformers' folders become configs; cards for the way back."""

import json
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from safetensors.torch import load_file, save_file

from mmseg_plugin.cli.configs import find_config
from mmseg_plugin.converters import carry_over
from mmseg_plugin.converters.hf_folder import method_of, write_folder
from mmseg_plugin.converters.hf_leaf import leaf_config
from tools import convert, fit_checkpoint

# What transformers' MaskFormer has: no encoder in the pixel decoder.
PLAIN_PIXELS = {
    '_delete_': True,
    'type': 'mmdet.PixelDecoder',
    'norm_cfg': {'type': 'GN', 'num_groups': 32},
    'act_cfg': {'type': 'ReLU'},
}
SMALL_SWIN = {
    'embed_dims': 24,
    'depths': [1, 1, 2, 1],
    'num_heads': [1, 2, 4, 8],
    'window_size': 7,
}
KINDS = {
    'mask2former': ('mask2former_r50_8xb2-lsj-50e_coco', {}),
    'maskformer': (
        'maskformer_r50_ms-16xb1-75e_coco-panoptic',
        {
            'backbone': {'depth': 101},
            'panoptic_head': {'pixel_decoder': PLAIN_PIXELS},
        },
    ),
    'maskformer-swin': (
        'maskformer_swin-l-p4-w12_64xb1-ms-300e_coco-panoptic',
        {
            'backbone': SMALL_SWIN,
            'panoptic_head': {'in_channels': [24, 48, 96, 192]},
        },
    ),
}


@pytest.fixture(scope='module', params=KINDS)
def folder(request, tmp_path_factory):
    """A model of 3 classes and 7 queries, as transformers has it."""
    name, changes = KINDS[request.param]
    config = Config.fromfile(find_config(name))
    classes = {'num_things_classes': 3, 'num_stuff_classes': 0}
    config.merge_from_dict({'model': changes})
    model = config.model
    model.panoptic_head.update(classes, num_queries=7)
    model.panoptic_fusion_head.update(classes)
    model.panoptic_head.transformer_decoder.num_layers = 2
    model.backbone.init_cfg = None
    init_default_scope('mmdet')
    state = MODELS.build(model).state_dict()
    method = find_config(name).parent.name
    there = carry_over(method, state, 'mmdet', 'hf')
    path = tmp_path_factory.mktemp('hf') / 'cracks'
    halves = request.param == 'maskformer-swin'
    facts = {'licence': 'cc0-1.0', 'data': 'ours', 'metrics': 'AP 30'}
    write_folder(there.state, path, method, ['a', 'b', 'c'], facts)
    if halves:
        shard(path)
    return path


def shard(folder):
    """Two files of half precision and an index in place of one file."""
    whole = folder / 'model.safetensors'
    state = load_file(whole)
    parts = {name: f'part-{i % 2}.safetensors' for i, name in enumerate(state)}
    for file in set(parts.values()):
        part = {
            name: state[name].bfloat16()
            if state[name].is_floating_point()
            else state[name]
            for name in state
            if parts[name] == file
        }
        save_file(part, folder / file)
    whole.unlink()
    index = folder / 'model.safetensors.index.json'
    index.write_text(json.dumps({'weight_map': parts}))


def changed(folder, name, **values):
    path = folder / name
    before = path.read_text()
    path.write_text(json.dumps({**json.loads(before), **values}))
    return lambda: path.write_text(before)


def test_the_converted_folder_has_a_config_that_loads_it(
    folder, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    words = [method_of(folder), str(folder), 'out.pth']
    sides = ['--from', 'hf', '--to', 'mmdet']
    monkeypatch.setattr(sys, 'argv', ['convert', *words, *sides])
    convert.main()
    config = Config.fromfile(tmp_path / 'out.py')
    assert config.load_from == str(tmp_path / 'out.pth')
    dataset = config.test_dataloader.dataset
    assert dataset.metainfo.classes == ['a', 'b', 'c']
    assert dataset.pipeline[1].scale == (1333, 800)
    preprocessor = config.model.data_preprocessor
    assert preprocessor.mean == pytest.approx([123.675, 116.28, 103.53])
    assert preprocessor.std == pytest.approx([58.395, 57.12, 57.375])
    init_default_scope('mmdet')
    model = MODELS.build(config.model)
    state = torch.load(config.load_from, weights_only=True)['state_dict']
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected
    assert all('num_batches_tracked' in name for name in missing)
    floats = {v.dtype for v in state.values() if v.is_floating_point()}
    assert floats == {torch.float32}
    # The same folder for a model of other classes.
    (tmp_path / 'mine.py').write_text(
        "_base_ = 'out.py'\n"
        'classes = dict(num_things_classes=2, num_stuff_classes=0)\n'
        'model = dict(panoptic_head=classes, panoptic_fusion_head=classes)\n'
    )
    words = ['fit_checkpoint', 'mine.py', str(folder), 'start.pth']
    monkeypatch.setattr(sys, 'argv', words)
    fit_checkpoint.main()
    kept = torch.load('start.pth', weights_only=True)['state_dict']
    assert all(torch.equal(state[name], kept[name]) for name in kept)
    lost = {name for name in state.keys() - kept.keys() if 'embed' in name}
    assert lost == {f'panoptic_head.cls_embed.{p}' for p in ('weight', 'bias')}


def test_a_processor_of_other_settings(folder, tmp_path):
    undo = changed(
        folder,
        'preprocessor_config.json',
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.25, 0.25, 0.25],
        size={'height': 384, 'width': 512},
        do_reduce_labels=True,
        ignore_index=255,
        size_divisor=64,
    )
    text = leaf_config(folder, tmp_path / 'a.pth')
    undo()
    assert '# Label maps: 0 is void, classes begin at 1.' in text
    assert '# Label maps: 255 is ignored.' in text
    (tmp_path / 'a.py').write_text(text)
    config = Config.fromfile(tmp_path / 'a.py')
    preprocessor = config.model.data_preprocessor
    assert preprocessor.mean == [127.5] * 3
    assert preprocessor.std == [63.75] * 3
    assert preprocessor.pad_size_divisor == 64
    resize = config.test_dataloader.dataset.pipeline[1]
    assert resize.scale == (512, 384)
    assert not resize.keep_ratio


@pytest.mark.parametrize(
    ('name', 'values', 'message'),
    [
        ('config.json', {'backbone_config': {'depths': [1]}}, 'no shipped'),
        ('config.json', {'model_type': 'detr'}, 'is of a detr'),
        ('config.json', {'id2label': {'1': 'a'}}, 'id2label'),
        ('preprocessor_config.json', {'size': {}}, 'size that is not known'),
    ],
)
def test_what_has_no_config_is_one_sentence(
    folder, tmp_path, name, values, message
):
    undo = changed(folder, name, **values)
    try:
        with pytest.raises(ValueError, match=message):
            leaf_config(folder, tmp_path / 'a.pth')
    finally:
        undo()


def test_a_folder_has_a_model_card(folder):
    card = (folder / 'README.md').read_text()
    assert card.startswith('---\nlibrary_name: transformers\n')
    assert 'license: cc0-1.0' in card
    assert '- Training data: ours' in card
    assert '- Metrics: AP 30' in card
    assert '- Classes: a, b, c' in card
