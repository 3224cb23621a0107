"""The scenes' data configs agree with the generator and load its output."""

from pathlib import Path

import mmdet.datasets  # noqa: F401  (registers what the configs name)
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from mmseg_plugin.datasets.scenes import (
    STUFF,
    THINGS,
    UNLABELLED,
    SceneOptions,
    make_scene,
    write_scenes,
)

BASES = Path(__file__).parents[2] / 'configs/_base_/datasets'
OPTIONS = SceneOptions(size=(64, 64), instances=(3, 3), empty_share=0.0)


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Config by kind, with two validation scenes at its data root."""
    write_scenes(tmp_path, {'val': 2}, seed=0, options=OPTIONS)
    monkeypatch.setenv('SCENES_ROOT', f'{tmp_path}/')
    return lambda kind: Config.fromfile(BASES / f'scenes_{kind}.py')


def _build(dataset):
    with DefaultScope.overwrite_default_scope('mmdet'):
        return DATASETS.build(dataset)


def test_classes_are_the_generators(load):
    config = load('panoptic')
    assert tuple(config.thing_classes) == THINGS
    assert tuple(config.stuff_classes) == STUFF
    assert len(config.metainfo.palette) == len(THINGS + STUFF)
    assert tuple(load('instance').metainfo.classes) == THINGS
    semantic = load('semantic').metainfo
    assert tuple(semantic.classes) == THINGS + STUFF
    assert semantic.palette == config.metainfo.palette
    dense = Config.fromfile(BASES / 'dense_scenes.py').metainfo
    assert dense == config.metainfo


def test_instance_data(load):
    dataset = _build(load('instance').val_dataloader.dataset)
    assert len(dataset) == 2
    for index in range(2):
        _, layout = make_scene(OPTIONS, 0, 'val', index)
        truth = dataset[index]['data_samples'].gt_instances
        assert truth.labels.tolist() == [t.label for t in layout.things]
        for i, mask in enumerate(truth.masks.masks):
            assert np.array_equal(mask, layout.instance_map == i + 1)


def test_panoptic_data(load):
    config = load('panoptic')
    transforms = config.train_pipeline
    without_flip = [t for t in transforms if t.type != 'mmdet.RandomFlip']
    dataset = _build(
        dict(config.val_dataloader.dataset, pipeline=without_flip)
    )
    assert dataset.metainfo['thing_classes'] == THINGS
    for index in range(2):
        _, layout = make_scene(OPTIONS, 0, 'val', index)
        sample = dataset[index]['data_samples']
        labels = [t.label for t in layout.things]
        assert sample.gt_instances.labels.tolist() == labels
        semantic = layout.stuff_map + len(THINGS)
        semantic[layout.stuff_map == UNLABELLED] = UNLABELLED
        for i, label in enumerate(labels):
            semantic[layout.instance_map == i + 1] = label
        assert np.array_equal(sample.gt_sem_seg.sem_seg[0], semantic)
