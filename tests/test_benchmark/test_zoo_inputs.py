import mmcv
import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import DefaultScope

from mmseg_plugin.benchmark.inputs import (
    NUM_OBJECTS,
    add_targets,
    as_batch,
    class_counts,
    read_images,
)
from mmseg_plugin.cli.configs import find_config
from tests.test_benchmark.toy_model import CONFIG

THINGS = {'num_things_classes': 3, 'num_stuff_classes': 2}


@pytest.fixture
def image(tmp_path):
    path = tmp_path / 'image.png'
    mmcv.imwrite(np.full((50, 80, 3), 7, np.uint8), str(path))
    return path


def detection_images(image, size=None):
    with DefaultScope.overwrite_default_scope('mmdet'):
        return read_images(
            Config.fromstring(CONFIG, '.py'), [image, image], size
        )


def test_resize_of_the_config_or_the_given_one(image):
    (own, _), (given, _) = (
        detection_images(image, size) for size in (None, (48, 96))
    )
    assert own['inputs'].shape == (3, 32, 51)
    assert given['inputs'].shape == (3, 48, 96)
    assert given['data_samples'].ori_shape == (50, 80)
    assert given['data_samples'].scale_factor == pytest.approx((1.2, 0.96))


def test_objects_of_a_detector(image):
    images = detection_images(image)
    add_targets(images, ConfigDict(head=THINGS))
    first, second = (i['data_samples'] for i in images)
    truth = first.gt_instances
    assert truth.labels.tolist() == [i % 3 for i in range(NUM_OBJECTS)]
    for box, mask in zip(truth.bboxes.int(), truth.masks.masks, strict=True):
        x1, y1, x2, y2 = box.tolist()
        assert 0 <= x1 < x2 <= 51
        assert 0 <= y1 < y2 <= 32
        assert mask[y1:y2, x1:x2].all()
        assert mask.sum() == (x2 - x1) * (y2 - y1)
    labels = first.gt_sem_seg.sem_seg
    assert labels.shape == (1, 32, 51)
    # Stuff is what no object covers.
    covered = torch.from_numpy(truth.masks.masks.any(0))
    assert torch.equal(labels[0] == 3, ~covered)
    assert not torch.equal(truth.bboxes, second.gt_instances.bboxes)


def test_detector_without_stuff_has_no_semantic_map(image):
    images = detection_images(image)
    add_targets(images, ConfigDict(num_classes=2))
    assert 'gt_sem_seg' not in images[0]['data_samples']


def test_labels_of_a_segmentor(image):
    config = Config.fromfile(
        find_config('per-pixel-baseline_tiny_demo_scenes-semantic')
    )
    with DefaultScope.overwrite_default_scope('mmseg'):
        images = read_images(config, [image], (32, 64))
    add_targets(images, config.model)
    labels = images[0]['data_samples'].gt_sem_seg.data
    assert labels.shape == (1, 32, 64)
    assert labels.dtype == torch.long
    assert set(labels.unique().tolist()) <= set(range(9))
    assert len(labels.unique()) > 3


def test_batches_share_nothing_that_a_model_changes(image):
    images = detection_images(image)
    add_targets(images, ConfigDict(head=THINGS))
    sample = as_batch(images)['data_samples'][0]
    sample.gt_instances.labels = sample.gt_instances.labels + 100
    del sample.gt_sem_seg.sem_seg
    kept = images[0]['data_samples']
    assert kept.gt_instances.labels.max() == 2
    assert 'sem_seg' in kept.gt_sem_seg


def test_class_counts():
    assert class_counts(ConfigDict(a=[THINGS])) == (3, 2)
    assert class_counts(ConfigDict(a=[{'num_classes': 7}])) == (7, 0)
    assert class_counts(ConfigDict(num_classes=9, head=THINGS)) == (3, 2)
