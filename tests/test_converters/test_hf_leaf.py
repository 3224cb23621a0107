"""Settings of transformers' folders become configs; cards for the way back."""

import json
import sys
from pathlib import Path

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from safetensors.torch import load_file, save_file

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import find_config
from mmseg_plugin.converters import carry_over
from mmseg_plugin.converters.hf_config import config_of
from mmseg_plugin.converters.hf_folder import (
    method_of,
    read_folder,
    write_folder,
)
from mmseg_plugin.converters.hf_leaf import PROCESSOR, leaf_config
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


def call(monkeypatch, side, other, *words):
    words = ['convert', *map(str, words), '--from', side, '--to', other]
    monkeypatch.setattr(sys, 'argv', words)
    convert.main()


def test_the_converted_folder_has_a_config_that_loads_it(
    folder, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    call(monkeypatch, 'hf', 'mmdet', method_of(folder), folder, 'out.pth')
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


@pytest.fixture
def finished(folder, monkeypatch, tmp_path):
    """A run of the model, validated twice, on smaller images."""
    monkeypatch.chdir(tmp_path)
    call(monkeypatch, 'hf', 'mmdet', method_of(folder), folder, 'out.pth')
    config = Config.fromfile('out.py')
    config.test_dataloader.dataset.pipeline[1].scale = (640, 480)
    config.model.data_preprocessor.mean = [102.0, 51.0, 0.0]
    config.train_dataloader.dataset.data_root = '/home/me/cracks/'
    config.default_hooks.checkpoint.save_best = 'coco/segm_mAP'
    logs = tmp_path / 'run' / '20200101_000000' / 'vis_data'
    logs.mkdir(parents=True)
    config.dump(logs / 'config.py')
    lines = [{'loss': 1.0, 'step': 5}, {'coco/segm_mAP': 0.3, 'step': 1}]
    lines += [{'loss': 1.0, 'step': 9}, {'coco/segm_mAP': 0.25, 'step': 2}]
    (logs / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))
    content = torch.load('out.pth', weights_only=True)
    meta = {'dataset_meta': {'classes': ['a', 'b', 'c']}}
    torch.save({**content, 'meta': meta}, 'run/best_coco_segm_mAP_epoch_1.pth')
    return config, logs


@pytest.mark.parametrize('folder', ['mask2former'], indirect=True)
def test_a_finished_run_is_described_in_its_folder(
    folder, finished, monkeypatch
):
    call(monkeypatch, 'mmdet', 'hf', 'mask2former', 'run', 'back')
    again = load_file('back/model.safetensors')
    before = load_file(folder / 'model.safetensors')
    assert all(torch.equal(again[name], before[name]) for name in before)
    card = Path('back/README.md').read_text()
    assert '- Metrics: coco/segm_mAP 0.300\n' in card
    assert '- Training data: cracks instances_train2017.json\n' in card
    assert '- Classes: a, b, c\n' in card
    processor = json.loads(Path('back/preprocessor_config.json').read_text())
    assert processor['size'] == {'shortest_edge': 480, 'longest_edge': 640}
    assert processor['image_mean'] == pytest.approx([0.4, 0.2, 0.0])
    config, logs = finished
    config.model.data_preprocessor.bgr_to_rgb = False
    config.dump(logs / 'config.py')
    with pytest.raises(UserError, match='its images are BGR'):
        call(monkeypatch, 'mmdet', 'hf', 'mask2former', 'run', 'other')
    assert not Path('other').exists()


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
    text = leaf_config(folder, tmp_path / 'a.pth', semantic=True)
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
    config.model.backbone = {'type': 'mmdet.ResNet', 'depth': 18}
    config.model.panoptic_head.in_channels = [64, 128, 256, 512]
    model = MODELS.build(config.model).eval()
    sample = DetDataSample(metainfo={'ori_shape': (64, 96)})
    sample.set_metainfo({'img_shape': (64, 96), 'batch_input_shape': (64, 96)})
    found = model.predict(torch.randn(1, 3, 64, 96), [sample], rescale=False)
    assert 'pred_instances' not in found[0]
    assert found[0].pred_sem_seg.sem_seg.unique().max() < 3


@pytest.mark.parametrize(
    ('name', 'values', 'message'),
    [
        ('config.json', {'backbone_config': {'depths': [1]}}, 'no shipped'),
        ('config.json', {'model_type': 'detr'}, 'is of a detr'),
        ('config.json', {'id2label': {'1': 'a'}}, 'id2label'),
        ('config.json', {'pre_norm': True}, 'has pre_norm True, shipped'),
        ('config.json', {'mask_feature_size': 128}, 'mask_feature_size 128'),
        (
            'preprocessor_config.json',
            {'size': {'longest_edge': 9}},
            'size that is not known',
        ),
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


def test_what_a_folder_leaves_out_is_known(folder, tmp_path):
    whole = leaf_config(folder, tmp_path / 'a.pth')
    state = read_folder(folder)
    files = [folder / name for name in ('config.json', PROCESSOR)]
    before = [file.read_text() for file in files]
    model = json.loads(before[0])
    kept = {key: model[key] for key in ('model_type', 'id2label')}
    backbone = {'model_type': model['backbone_config']['model_type']}
    try:
        # Defaults of transformers, and sizes that the weights have.
        files[0].write_text(json.dumps({**kept, 'backbone_config': backbone}))
        files[1].write_text('{"image_mean": null}')
        assert leaf_config(folder, tmp_path / 'a.pth', state=state) == whole
        files[0].write_text(json.dumps({'model_type': kept['model_type']}))
        files[1].write_text('{"image_mean": 0.5}')
        text = leaf_config(folder, tmp_path / 'a.pth', state=state)
        assert "classes=['LABEL_0', 'LABEL_1', 'LABEL_2']" in text
        assert 'mean=[127.5, 127.5, 127.5], std=[58.395' in text
        files[1].unlink()
        with pytest.raises(ValueError, match='save the image processor'):
            leaf_config(folder, tmp_path / 'a.pth')
    finally:
        for file, content in zip(files, before, strict=True):
            file.write_text(content)


def test_heads_of_attention_go_both_ways(folder, tmp_path):
    method, state = method_of(folder), read_folder(folder)
    if method == 'mask2former':
        with pytest.raises(ValueError, match='has 4 heads of attention'):
            config_of(method, state, None, heads=4)
        other = {'num_attention_heads': 4}
    else:
        config = config_of(method, state, None, heads=4)
        other = {'decoder_config': config['decoder_config']}
    undo = changed(folder, 'config.json', **other)
    (tmp_path / 'a.py').write_text(leaf_config(folder, tmp_path / 'a.pth'))
    undo()
    config = Config.fromfile(tmp_path / 'a.py')
    assert convert.heads_of(config) == 4
    init_default_scope('mmdet')
    head = MODELS.build(config.model).panoptic_head
    attention = {
        part.num_heads for part in head.modules() if hasattr(part, 'num_heads')
    }
    assert attention == {4}


def test_another_backbone_is_one_sentence():
    state = {'backbone.conv1.conv.weight': torch.zeros(1)}
    for side, owner in (('hf', 'transformers'), ('d2', 'the official code')):
        with pytest.raises(ValueError, match=f'{owner} has it with a ResNet'):
            carry_over('mask2former', state, 'mmdet', side)


def test_a_folder_has_a_model_card(folder):
    card = (folder / 'README.md').read_text()
    assert card.startswith('---\nlibrary_name: transformers\n')
    assert 'license: cc0-1.0' in card
    assert '- Training data: ours' in card
    assert '- Metrics: AP 30' in card
    assert '- Classes: a, b, c' in card


@pytest.mark.parametrize(
    ('width', 'blocks', 'name'),
    [(96, 6, 'swin-t-'), (96, 18, 'swin-s-'), (128, 18, 'swin-b-')],
)
def test_a_swin_has_its_config(tmp_path, width, blocks, name):
    backbone = {
        'model_type': 'swin',
        'embed_dim': width,
        'depths': [2, 2, blocks, 2],
    }
    model = {
        'model_type': 'mask2former',
        'id2label': {'0': 'a', '1': 'b'},
        'backbone_config': backbone,
        'num_queries': 7,
        'encoder_layers': 6,
        'encoder_feedforward_dim': 1024,
        'decoder_layers': 10,
        'dim_feedforward': 2048,
    }
    (tmp_path / 'config.json').write_text(json.dumps(model))
    processor = tmp_path / 'preprocessor_config.json'
    processor.write_text('{"size": 800, "do_normalize": false}')
    text = leaf_config(tmp_path, tmp_path / 'a.pth')
    assert f'/mask2former_{name}' in text
    # transformers leaves out what is its default.
    assert 'window_size=7' in text
    assert 'num_things_classes=2' in text
    text = leaf_config(tmp_path, tmp_path / 'a.pth', semantic=True)
    assert 'num_things_classes=0' in text
