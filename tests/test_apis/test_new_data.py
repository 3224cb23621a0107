import argparse
import ast
import json
import math
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from PIL import Image

from mmseg_plugin.apis.data_folder import FOLDER
from mmseg_plugin.apis.new_bases import BASES, choose_base
from mmseg_plugin.apis.new_data import write_config
from mmseg_plugin.apis.new_pipelines import Scale, choose_scale
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import find_config
from mmseg_plugin.registry import DATASETS
from tests.soak.data_sets import try_one
from tests.test_datasets.test_formats import writers


def new(data, out, **kwargs):
    options = {
        'model': 'maskdino',
        'size': 'tiny',
        'epochs': 1,
        'batch': None,
        'hours': None,
        'weights': None,
        'start': None,
        'no_measure': True,
        'fix': False,
        'seed': 0,
    }
    return write_config(
        argparse.Namespace(data=data, out=out, **{**options, **kwargs})
    )


def in_soak(*values):
    return pytest.param(*values, marks=(pytest.mark.slow, pytest.mark.soak))


@pytest.mark.parametrize(
    ('form', 'model', 'batch'),
    [
        ('coco', 'maskdino', None),
        ('roboflow', 'mask-rcnn', 3),
        in_soak('yolo', 'maskdino', 1),
        in_soak('labelme', 'mask-rcnn', None),
        in_soak('panoptic', 'maskdino', None),
        ('panoptic', 'mask2former', 5),
        ('panoptic', 'panoptic-fcn', None),
        ('semantic', None, 2),
    ],
)
def test_the_config_trains_and_evaluates(form, model, batch, tmp_path):
    table = {
        **writers.WRITERS,
        'panoptic': writers.write_panoptic,
        'semantic': writers.write_semantic,
    }
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
    keys = {'panoptic': 'coco_panoptic/PQ', 'semantic': 'mIoU'}
    key = keys.get(form, 'coco/segm_mAP')
    assert f'val/{key}' in runner.message_hub.log_scalars
    names = ('cat', 'dog', 'grass', 'sky')[: 4 if form == 'panoptic' else 2]
    if form == 'semantic':
        names = ('wall', 'sky', 'road')
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
    for option, value, said in (
        ('epochs', 0, '--epochs 0: begins at 1'),
        ('batch', -1, '--batch -1: begins at 1'),
        ('hours', 0.0, '--hours 0: more than 0'),
        ('hours', math.nan, '--hours nan: more than 0'),
        ('seed', -1, '--seed -1: begins at 0'),
    ):
        with pytest.raises(UserError, match=said):
            new(tmp_path / 'data', tmp_path / 'y.py', **{option: value})


def test_data_with_errors_is_refused_and_nothing_written(tmp_path):
    writers.write_coco(tmp_path / 'data')
    path = tmp_path / 'data' / 'annotations' / 'instances_train.json'
    path.write_text(path.read_text().replace('"name": "cat"', '"name": "dog"'))
    with pytest.raises(UserError, match='categories.same-name'):
        new(tmp_path / 'data', tmp_path / 'x.py')
    assert not (tmp_path / 'x.py').exists()


def test_train_takes_a_folder(tmp_path):
    writers.write_coco(tmp_path / 'data')
    # A process of its own: much of what is not to be said is said once.
    done = subprocess.run(
        [
            *(sys.executable, '-m', 'mmseg_plugin', 'train', 'data'),
            *('--size', 'tiny', '--model', 'mask-rcnn', '--epochs', '1'),
            *('--work-dir', 'run', '--cfg-options'),
            *('train_dataloader.num_workers=0',),
            *('train_dataloader.persistent_workers=False',),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert '8 images / batch 4 = 2 iterations an epoch' in done.stdout
    assert (tmp_path / 'run' / 'data_mask-rcnn.py').is_file()
    assert list((tmp_path / 'run').glob('best_coco_segm_mAP*.pth'))
    assert (tmp_path / 'run' / 'report.html').is_file()
    # Nothing that nobody can do anything about.
    for noise in (
        *('faster_coco_eval', 'OneDL', 'into memory', 'index', 'DONE'),
        *('by local backend', 'Warning'),
    ):
        assert noise not in done.stdout + done.stderr


def roboflow_root(root, used=False):
    """The name of the project is a root category, and a class too."""
    writers.write_roboflow(root)
    for path in root.glob('*/_annotations.coco.json'):
        data = json.loads(path.read_text())
        data['categories'][0]['name'] = 'dog'
        data['categories'][1]['supercategory'] = 'dog'
        for annotation in data['annotations'][: int(used)]:
            annotation['category_id'] = 0
        data['annotations'][0]['id'] = 0
        path.write_text(json.dumps(data))


def test_a_root_category_of_a_class_name_is_left_out(tmp_path, capsys):
    roboflow_root(tmp_path / 'data')
    path = new(tmp_path / 'data', tmp_path / 'x.py')
    assert 'class (categories.root)' in capsys.readouterr().out
    config = Config.fromfile(path)
    data = DATASETS.build(config.train_dataloader.dataset)
    assert data.metainfo['classes'] == ('cat', 'dog')
    labels = [i['bbox_label'] for i in data.get_data_info(0)['instances']]
    assert sorted(labels) == sorted(label for label, _ in writers.shapes(0))


def test_two_classes_of_one_name_are_refused_until_fixed(tmp_path):
    roboflow_root(tmp_path / 'data', used=True)
    with pytest.raises(UserError, match='(?s)same-name.*--fix') as said:
        new(tmp_path / 'data', tmp_path / 'x.py')
    assert "'dog' (id 0), 'dog' (id 2)" in str(said.value)
    assert not (tmp_path / 'data' / FOLDER).exists()
    path = new(tmp_path / 'data', tmp_path / 'x.py', fix=True)
    classes = Config.fromfile(path).data.metainfo.classes
    assert tuple(classes) == ('cat', 'dog')


def test_what_was_made_otherwise_is_not_overwritten(tmp_path):
    roboflow_root(tmp_path / 'data')
    new(tmp_path / 'data', tmp_path / 'x.py')
    with pytest.raises(UserError, match='made with fix False, not True'):
        new(tmp_path / 'data', tmp_path / 'y.py', fix=True)


def test_what_check_fixes_can_be_trained_on(run_tool, tmp_path):
    roboflow_root(tmp_path / 'data', used=True)
    done = run_tool('check', 'data', '--fix', 'fixed')
    assert done.returncode == 1
    path = new(tmp_path / 'fixed', tmp_path / 'x.py')
    config = Config.fromfile(path)
    data = DATASETS.build(config.train_dataloader.dataset)
    assert Path(data[0]['data_samples'].img_path).is_file()


@pytest.mark.parametrize(
    'kwargs',
    [
        {'names': False},
        {'split': False},
        {'palette': True, 'suffix': '_mask'},
    ],
)
def test_label_maps_as_people_have_them(kwargs, tmp_path):
    root = tmp_path / 'data'
    writers.write_semantic(root, **kwargs)
    config = Config.fromfile(new(root, tmp_path / 'x.py', model=None))
    init_default_scope('mmseg')
    number = 0
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.dataset.pipeline = config.train_pipeline[:2]
        data = DATASETS.build(loader.dataset)
        number += len(data)
        for results in data:
            found = results['gt_seg_map']
            assert set(np.unique(found)) == {0, 1, 2, 255}
    assert number == 12
    names = ('wall', 'sky', 'road')
    if not kwargs.get('names', True):
        names = ('class 0', 'class 1', 'class 2')
    assert data.metainfo['classes'] == names


def test_binary_maps_of_0_and_255_are_explained(tmp_path):
    writers.write_semantic(tmp_path / 'data', names=False)
    for path in (tmp_path / 'data' / 'masks').rglob('*.png'):
        labels = np.asarray(Image.open(path))
        Image.fromarray((labels > 0).astype(np.uint8) * 255).save(path)
    with pytest.raises(UserError, match='semantic.two-values'):
        new(tmp_path / 'data', tmp_path / 'x.py')


def test_large_images_with_small_objects_are_cropped():
    def facts(side, longest, objects):
        return SimpleNamespace(
            usual_side=side, longest_side=longest, object_side=objects
        )

    assert choose_scale(facts(256, 700, 16), 'tiny') == (
        Scale(256, 1.0, crop=True)
    )
    assert choose_scale(facts(640, 640, 90), 'tiny') == Scale(512)
    assert choose_scale(facts(4000, 4000, 32), 'tiny') == (
        Scale(512, 0.5, crop=True)
    )
    assert choose_scale(facts(4000, 4000, 32), 'r50') is None
    assert choose_scale(facts(300, 300, 32), 'r50') == Scale(608, crop=True)


def test_hours_are_kept(tmp_path, capsys):
    writers.write_coco(tmp_path / 'data')
    options = {'model': 'mask-rcnn', 'epochs': None, 'no_measure': False}
    with pytest.raises(UserError, match='is less than one epoch takes'):
        new(tmp_path / 'data', tmp_path / 'x.py', hours=1e-9, **options)
    path = new(tmp_path / 'data', tmp_path / 'x.py', hours=0.1, **options)
    said = capsys.readouterr().out
    minutes = int(re.search(r'about (\d+) minutes? here', said).group(1))
    assert 1 < minutes <= 6
    assert Config.fromfile(path).train_cfg.max_epochs > 1


# More of them: make soak-data
@pytest.mark.parametrize('seed', [0, 1])
def test_random_data_sets(seed, tmp_path):
    try_one(seed, tmp_path)


@pytest.mark.parametrize('tool', ['check', 'new', 'train'])
def test_an_interrupted_tool_leaves_nothing_half_written(tool, tmp_path):
    writers.write_yolo(tmp_path / 'data')
    process = subprocess.Popen(
        [sys.executable, '-m', 'mmseg_plugin', tool, 'data'],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    # On a fast machine `check` is done by then.
    ended = (130, -signal.SIGINT, *([0] if tool == 'check' else []))
    assert process.returncode in ended
    names = {path.name for path in tmp_path.rglob('*')}
    assert not any(name.startswith('.') for name in names)
    if FOLDER in names:
        assert 'record.json' in names
    if process.returncode == 130:
        assert 'Traceback' not in said
