"""Named weights become what models here start from."""

import sys

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope

from mmseg_plugin.apis.start import start_from_weights
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import find_config, read_model_config
from mmseg_plugin.converters import carry_over
from mmseg_plugin.weights.table import find_weights
from mmseg_plugin.weights.use import checkpoint_for, mmdet_checkpoint
from tests.test_apis.test_new_data import new
from tests.test_datasets.test_formats import writers
from tests.test_weights.server import served, write_table
from tools.convert import parse_args
from tools.weights import lines, matching

PANOPTIC = 'mask2former_tiny_demo_scenes-panoptic'
SEMANTIC = 'mask2former_tiny_demo_scenes-semantic'
DINO = 'maskdino_tiny_demo_scenes'


def built(config):
    with DefaultScope.overwrite_default_scope(config.default_scope):
        return MODELS.build(config.model)


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Serves a file of random weights of a config, and names it."""
    cache = tmp_path / 'cache'
    monkeypatch.setenv('MMSEG_PLUGIN_WEIGHTS', str(cache))
    monkeypatch.chdir(tmp_path)
    with served({}) as server:

        def publish(config, task, layout):
            state = built(read_model_config(config)).state_dict()
            file = {
                key.replace('decode_head.head.', 'panoptic_head.'): value
                for key, value in state.items()
            }
            method = find_config(config).parent.name
            content = {'state_dict': file}
            if layout == 'd2':
                # Of the official code, without the backbone, which is none
                # of those that it has.
                head = {k: v for k, v in file.items() if 'backbone' not in k}
                done = carry_over(method, head, 'mmdet', 'd2')
                content = {'model': done.state}
            torch.save(content, tmp_path / 'a.pth')
            server.files['/a.pth'] = (tmp_path / 'a.pth').read_bytes(), '"1"'
            entry = {
                'source': 'own',
                'method': method,
                'task': task,
                'config': config,
                'url': f'{server.url}/a.pth',
                'layout': layout,
            }
            write_table(cache, **{'own/a': entry})
            return state

        yield publish


@pytest.mark.parametrize(
    ('config', 'task', 'layout'),
    [
        (PANOPTIC, 'panoptic', 'mmdet'),
        (PANOPTIC, 'panoptic', 'd2'),
        (SEMANTIC, 'semantic', 'd2'),
    ],
)
def test_weights_of_any_layout_load(published, tmp_path, config, task, layout):
    state = published(config, task, layout)
    target = tmp_path / 'start.pth'
    result = checkpoint_for(
        find_weights('own/a'), read_model_config(config), target
    )
    loaded = torch.load(target, weights_only=True)['state_dict']
    heads = {key for key in state if 'head.' in key}
    assert heads <= loaded.keys() | {'panoptic_head.loss_cls.class_weight'}
    assert all(torch.equal(loaded[key], state[key]) for key in loaded)
    assert all('head.' not in name for name, _ in result.fresh)


def test_weights_of_another_model_are_refused(published, tmp_path):
    published(PANOPTIC, 'panoptic', 'mmdet')
    target = tmp_path / 'start.pth'
    with pytest.raises(UserError, match='this model a MaskDINO'):
        checkpoint_for(find_weights('own/a'), read_model_config(DINO), target)
    assert not target.exists()


@pytest.mark.parametrize('given', [[], [DINO, '--cfg-options', 'a=1']])
def test_a_run_starts_from_them(published, monkeypatch, tmp_path, given):
    published(DINO, 'instances', 'mmdet')
    words = ['train', *given, '--from', 'own/a', '--work-dir', 'here']
    monkeypatch.setattr(sys, 'argv', words)
    start_from_weights()
    start = tmp_path / 'here' / 'start.pth'
    assert start.is_file()
    assert sys.argv[:2] == ['train', DINO]
    options = sys.argv[sys.argv.index('--cfg-options') + 1 :]
    assert options[0] == f'load_from={start}'
    assert sys.argv.count('--cfg-options') == 1
    assert '--from' not in sys.argv


def test_a_config_for_data_starts_from_them(published, tmp_path):
    published(DINO, 'instances', 'mmdet')
    writers.WRITERS['coco'](tmp_path / 'data')
    out = new(
        tmp_path / 'data',
        tmp_path / 'mine.py',
        model=None,
        size=None,
        start='own/a',
    )
    config = read_model_config(str(out))
    assert config.load_from == str(tmp_path / 'mine_start.pth')
    loaded = torch.load(config.load_from, weights_only=True)['state_dict']
    model = built(config).state_dict()
    assert all(loaded[key].shape == model[key].shape for key in loaded)
    # Its classes are others.
    assert not any('cls_embed' in key for key in loaded)
    assert any('mask_embed' in key for key in loaded)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'start': 'own/a'}, 'own/a is for panoptic data'),
        ({'start': 'own/a', 'size': 'r50'}, '--from says which model'),
        ({'start': 'own/c'}, "there are no weights 'own/c'"),
    ],
)
def test_what_does_not_fit_data_is_refused(
    published, tmp_path, changes, message
):
    published(PANOPTIC, 'panoptic', 'mmdet')
    writers.WRITERS['coco'](tmp_path / 'data')
    options = {'model': None, 'size': None, **changes}
    with pytest.raises(UserError, match=message):
        new(tmp_path / 'data', tmp_path / 'mine.py', **options)
    assert not (tmp_path / 'mine.py').exists()


def test_the_tools_take_names(published, run_tool, tmp_path):
    published(PANOPTIC, 'panoptic', 'd2')
    done = run_tool(
        *('convert', 'mask2former', '--from', 'own/a'),
        *('--to', 'mmdet', 'out.pth'),
    )
    assert done.returncode == 0, done.stderr
    assert 'licence of own/a: CC0' in done.stdout
    kept = mmdet_checkpoint(find_weights('own/a'))
    one, two = (
        torch.load(path, weights_only=True)['state_dict']
        for path in (kept, tmp_path / 'out.pth')
    )
    assert one.keys() == two.keys()


def test_a_name_of_another_method_is_refused(published, monkeypatch, capsys):
    published(PANOPTIC, 'panoptic', 'd2')
    words = ['convert', 'maskdino', '--from', 'own/a', '--to', 'mmdet', 'x']
    monkeypatch.setattr(sys, 'argv', words)
    with pytest.raises(SystemExit):
        parse_args()
    assert 'own/a are of mask2former' in capsys.readouterr().err


def test_a_listing_says_what_a_download_needs(published):
    published(PANOPTIC, 'panoptic', 'd2')
    (found,) = matching('own/*')
    assert '    licence  CC0 (http://page)' in lines(found)
    assert f'    config   {PANOPTIC}' in lines(found)
    with pytest.raises(UserError, match="no weights match 'quark'"):
        matching('quark')
