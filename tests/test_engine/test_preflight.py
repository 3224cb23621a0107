"""Runs that MMEngine's runner starts by itself, as mim does."""

import json

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

import mmseg_plugin.registry  # noqa: F401
from mmseg_plugin.engine.preflight import PreflightHook, check_checkpoint
from tests.test_apis.test_new_data import new
from tests.test_datasets.test_formats import writers


@pytest.fixture
def config(tmp_path):
    writers.write_coco(tmp_path / 'data')
    path = new(tmp_path / 'data', tmp_path / 'x.py', model='mask-rcnn')
    config = Config.fromfile(path)
    config.work_dir = str(tmp_path / 'run')
    for name in ('train', 'val', 'test'):
        config[f'{name}_dataloader'].num_workers = 0
        config[f'{name}_dataloader'].persistent_workers = False
    return config


def edit(config, change):
    path = config.data.data_root + config.train_dataloader.dataset.ann_file
    with open(path) as file:
        data = json.load(file)
    change(data)
    with open(path, 'w') as file:
        json.dump(data, file)


def with_mmdet(config):
    """mmdet's data set, which numbers labels as the file does."""
    for name in ('train', 'val', 'test'):
        config[f'{name}_dataloader'].dataset.type = 'mmdet.CocoDataset'


def second_root(data):
    data['categories'].insert(0, {'id': 0, 'name': 'dog'})


def wrong_head(config):
    config.model.roi_head.mask_head.num_classes = 3


def shared_name(config):
    with_mmdet(config)
    edit(config, second_root)


def other_order(config):
    with_mmdet(config)
    edit(config, lambda data: data['categories'].reverse())


def other_validation(config):
    names = ('dog', 'cat')
    config.val_dataloader.dataset.metainfo.classes = names


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (wrong_head, 'has 2 classes, model.roi_head.mask_head.num_classes'),
        (shared_name, "2 categories called 'dog', with the ids 0, 2"),
        (other_order, "class 0 of metainfo is 'cat', of .* 'dog'"),
        (other_validation, "is 'cat', of val_dataloader 'dog'"),
    ],
)
def test_a_run_is_refused_before_it_starts(change, said, config):
    change(config)
    with pytest.raises(ValueError, match=said):
        Runner.from_cfg(config).train()


def test_a_checkpoint_in_another_order_is_not_tested(config, tmp_path):
    meta = {'dataset_meta': {'classes': ('dog', 'cat')}}
    torch.save({'meta': meta, 'state_dict': {}}, tmp_path / 'x.pth')
    config.load_from = str(tmp_path / 'x.pth')
    with pytest.raises(ValueError, match='class 0 of test_dataloader is'):
        Runner.from_cfg(config).test()


def test_every_runner_of_our_models_has_the_hook(config):
    hooks = Runner.from_cfg(config).hooks
    assert sum(isinstance(hook, PreflightHook) for hook in hooks) == 1


@pytest.mark.parametrize(
    ('names', 'resume', 'said'),
    [
        (('dog', 'cat'), False, r"load_from: class 0 .* 'cat', .* 'dog'"),
        (('cat', 'cow'), True, r"resume: class 1 .* 'dog', .* 'cow'"),
        (('cat',), True, r'2 classes \(cat, ...\), the checkpoint 1 \(cat'),
    ],
)
def test_classes_of_a_checkpoint(names, resume, said):
    checkpoint = {'meta': {'dataset_meta': {'classes': names}}}
    with pytest.raises(ValueError, match=said):
        check_checkpoint(('cat', 'dog'), checkpoint, resume)


@pytest.mark.parametrize('names', [('dog', 'cat'), ('cow', 'hen'), ('cat',)])
@pytest.mark.parametrize('key', ['val_dataloader', 'test_dataloader'])
def test_a_checkpoint_of_other_classes_is_not_tested(names, key):
    checkpoint = {'meta': {'dataset_meta': {'classes': names}}}
    with pytest.raises(ValueError, match=f'load_from: .*{key}'):
        check_checkpoint(('cat', 'dog'), checkpoint, resume=False, key=key)


@pytest.mark.parametrize('names', [('cat', 'dog'), ('cow', 'hen'), ('cat',)])
def test_other_classes_may_be_started_from(names):
    checkpoint = {'meta': {'dataset_meta': {'classes': names}}}
    check_checkpoint(('cat', 'dog'), checkpoint, resume=False)
