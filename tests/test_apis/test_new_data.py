import argparse
import ast

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

import mmseg_plugin.registry  # noqa: F401
from mmseg_plugin.apis.new_config import BASES, choose_base
from mmseg_plugin.apis.new_data import write_config
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import find_config
from tests.test_datasets.test_formats import writers


def new(data, out, **kwargs):
    options = {
        'model': 'maskdino',
        'size': 'tiny',
        'epochs': 1,
        'batch': None,
        'seed': 0,
    }
    return write_config(
        argparse.Namespace(data=data, out=out, **{**options, **kwargs})
    )


@pytest.mark.parametrize(
    ('form', 'model', 'batch'),
    [
        ('coco', 'maskdino', None),
        ('roboflow', 'mask-rcnn', 3),
        ('yolo', 'maskdino', 1),
        ('labelme', 'mask-rcnn', None),
        ('panoptic', 'maskdino', None),
        ('panoptic', 'mask2former', 5),
        ('panoptic', 'panoptic-fcn', None),
    ],
)
def test_the_config_trains_and_evaluates(form, model, batch, tmp_path):
    table = {**writers.WRITERS, 'panoptic': writers.write_panoptic}
    table[form](tmp_path / 'data')
    path = new(tmp_path / 'data', tmp_path / 'x.py', model=model, batch=batch)
    config = Config.fromfile(path)
    assert 'mobilenetv2' not in str(config.model.backbone)
    config.work_dir = str(tmp_path / 'run')
    for name in ('train', 'val', 'test'):
        config[f'{name}_dataloader'].num_workers = 0
        config[f'{name}_dataloader'].persistent_workers = False
    # Two iterations.
    config.train_dataloader.dataset.indices = 2 * (batch or 4)
    runner = Runner.from_cfg(config)
    runner.train()
    assert runner.iter >= 2
    key = 'coco_panoptic/PQ' if form == 'panoptic' else 'coco/segm_mAP'
    assert f'val/{key}' in runner.message_hub.log_scalars
    names = ('cat', 'dog', 'grass', 'sky')[: 4 if form == 'panoptic' else 2]
    assert runner.train_dataloader.dataset.metainfo['classes'] == names
    assert list((tmp_path / 'run').glob('best_*.pth'))


def test_a_leaf_has_at_most_20_statements(tmp_path):
    writers.write_panoptic(tmp_path / 'data')
    path = new(tmp_path / 'data', tmp_path / 'x.py')
    assert len(ast.parse(path.read_text()).body) <= 21  # with its docstring


@pytest.mark.parametrize(
    'base', sorted({b for table in BASES.values() for b in table.values()})
)
def test_bases_are_shipped(base):
    assert find_config(base).is_file()


def test_what_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(UserError, match='has no size tiny; there are: r50'):
        choose_base('instances', 'mask2former', 'tiny')
    with pytest.raises(UserError, match='mask-rcnn is not for panoptic'):
        choose_base('panoptic', 'mask-rcnn', None)
    writers.write_coco(tmp_path / 'data')
    (tmp_path / 'x.py').touch()
    with pytest.raises(UserError, match='is there already'):
        new(tmp_path / 'data', tmp_path / 'x.py')
    with pytest.raises(UserError, match='begin at 1'):
        new(tmp_path / 'data', tmp_path / 'y.py', epochs=-1)


def test_data_with_errors_is_refused_and_nothing_written(tmp_path):
    writers.write_coco(tmp_path / 'data')
    path = tmp_path / 'data' / 'annotations' / 'instances_train.json'
    path.write_text(path.read_text().replace('"name": "cat"', '"name": "dog"'))
    with pytest.raises(UserError, match='categories.same-name'):
        new(tmp_path / 'data', tmp_path / 'x.py')
    assert not (tmp_path / 'x.py').exists()


def test_train_takes_a_folder(run_tool, tmp_path):
    writers.write_coco(tmp_path / 'data')
    done = run_tool(
        *('train', 'data', '--size', 'tiny', '--model', 'mask-rcnn'),
        *('--epochs', '1', '--work-dir', 'run'),
        *('--cfg-options', 'train_dataloader.num_workers=0'),
        *('train_dataloader.persistent_workers=False',),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert '8 images / batch 4 = 2 iterations an epoch' in done.stdout
    assert (tmp_path / 'run' / 'data_mask-rcnn.py').is_file()
    assert list((tmp_path / 'run').glob('best_coco_segm_mAP*.pth'))
