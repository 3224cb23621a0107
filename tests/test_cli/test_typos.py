import sys

import pytest
from mmengine.config import Config

from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.config_keys import check_keys
from mmseg_plugin.cli.configs import find_config
from mmseg_plugin.cli.launch import check_config


@pytest.fixture(scope='module')
def config():
    return Config.fromfile(find_config('mask-rcnn_tiny_fpn_demo_scenes'))


@pytest.mark.parametrize(
    ('key', 'meant'),
    [
        ('modle.backbone', 'model'),
        ('train_cfg.max_epoch', 'max_epochs'),
        ('train_dataloader.batchsize', 'batch_size'),
        ('model.roi_head.mask_head.num_class', 'num_classes'),
        ('train_dataloader.dataset.filter_cgf', 'filter_cfg'),
        ('train_dataloader.dataset.pipeline.1.with_maks', 'with_mask'),
        ('train_dataloader.dataset.indics', 'indices'),
    ],
)
def test_a_mistyped_key_is_refused_with_the_nearest(config, key, meant):
    with pytest.raises(UserError, match=f'{key}.*did you mean {meant}'):
        check_keys(config, [key])


@pytest.mark.parametrize(
    'key',
    [
        'train_cfg.max_epochs',
        'randomness.seed',
        'load_from',
        'train_dataloader.dataset.indices',
        'train_dataloader.prefetch_factor',
        'train_dataloader.dataset.pipeline.0.to_float32',
        'model.backbone.init_cfg.checkpoint',
        'optim_wrapper.accumulative_counts',
    ],
)
def test_keys_that_are_read_pass(config, key):
    check_keys(config, [key])


def test_keys_are_those_of_a_type_that_is_given_with_them(config, monkeypatch):
    words = ['train', 'x.py', '--cfg-options']
    words += ['model.backbone.type=mmdet.SwinTransformer']
    for key in ('embed_dims', 'embed_dim'):
        own = config.copy()
        options = [*words, f'model.backbone.{key}=48']
        monkeypatch.setattr(sys, 'argv', options)
        if key == 'embed_dims':
            check_config(own)
            assert own.model.backbone.embed_dims == 48
        else:
            with pytest.raises(UserError, match='did you mean embed_dims'):
                check_config(own)


def test_amp_brings_the_keys_of_its_wrapper(config, monkeypatch):
    words = ['train', 'x.py', '--cfg-options', 'optim_wrapper.dtype=bfloat16']
    monkeypatch.setattr(sys, 'argv', [*words, '--amp'])
    check_config(config.copy())
    monkeypatch.setattr(sys, 'argv', words)
    with pytest.raises(UserError, match='optim_wrapper has no dtype'):
        check_config(config.copy())


def test_a_key_that_is_like_no_other_is_refused_too(config):
    with pytest.raises(UserError, match='there is no such key'):
        check_keys(config, ['zzz.y'])
    with pytest.raises(UserError, match='model.backbone has no zzz'):
        check_keys(config, ['model.backbone.zzz'])


def test_an_entry_beyond_a_list_is_refused(config):
    with pytest.raises(UserError, match='has 4 entries'):
        check_keys(config, ['train_dataloader.dataset.pipeline.9.prob'])


def test_tools_name_the_nearest_option_and_guess_none(capsys):
    parser = ToolParser()
    parser.add_argument('--confidence', type=float)
    for word in ('--confidense', '--conf'):
        with pytest.raises(SystemExit) as caught:
            parser.parse_args([word, '1'])
        assert caught.value.code == 2
    assert 'did you mean --confidence?' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        (['trian'], 'did you mean train?'),
        (['make_scenes', 'out', '--trian', '3'], 'did you mean --train?'),
        (
            ['train', 'mask-rcnn_tiny_fpn_demo_scenes', '--work-dri', 'x'],
            'did you mean --work-dir?',
        ),
        (['train', '--epoch', '3', '.'], 'did you mean --epochs?'),
        (
            ['train', 'mask-rcnn_tiny_fpn_demo_scenes', '--epochs', '3'],
            '--epochs is for DATA',
        ),
        (
            ['train', 'mask-rcnn_tiny_fpn_demo_scenes', '--cfg-options']
            + ['train_cfg.max_epoch=1'],
            'did you mean max_epochs?',
        ),
    ],
)
def test_typos_end_a_tool(run_tool, arguments, said, tmp_path):
    done = run_tool(*arguments)
    assert done.returncode != 0
    assert said in done.stderr
    assert 'Traceback' not in done.stderr
    assert list(tmp_path.iterdir()) == []
