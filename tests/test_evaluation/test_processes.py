"""Scores do not depend on how many processes share the images."""

import json
from functools import partial
from unittest import mock

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement, PixelData

from mmseg_plugin.registry import METRICS
from tests.test_datasets import panoptic_folder as folder
from tests.test_evaluation import test_coco_instance_metric as instances
from tests.two_ranks import on_ranks

# Neither two nor three processes divide them.
IMAGES = 7


def id_maps():
    """Both maps of the folder, moved about."""
    first, second = folder.id_maps()
    return [np.roll((first, second)[i % 2], i, 1) for i in range(IMAGES)]


def write(root):
    masks = [instances.masks_of(3 + i % 3, i) for i in range(IMAGES)]
    (root / 'truth.json').write_text(json.dumps(instances.truth(masks)))
    maps = id_maps()
    with mock.patch.object(folder, 'id_maps', return_value=maps):
        folder.write(root)
    return instances.results(masks, 4), maps


def panoptic_sample(index, ids):
    """Things are taken for one cup, moved by a pixel."""
    found = np.where(ids == folder.SKY, 2, np.where(ids > 0, 1000, 3))
    found = torch.tensor(np.roll(found, index % 3, 1))
    labels = found % 1000
    return BaseDataElement(
        metainfo={
            'img_id': index,
            'img_path': f'{index}.jpg',
            'ori_shape': ids.shape,
        },
        pred_panoptic_seg=PixelData(sem_seg=found[None].int()),
        pred_sem_seg=PixelData(data=labels[None].clamp(max=2)),
        gt_sem_seg=PixelData(data=torch.tensor(ids % 3)[None]),
    )


def scores(rank, root, found, maps):
    """Everything that is measured, of this process's share."""
    import mmseg.evaluation  # noqa: F401

    masks = {
        'ann_file': str(root / 'panoptic.json'),
        'seg_prefix': str(root / 'seg'),
    }
    kinds = {
        'mmseg_plugin.CocoInstanceMetric': {
            'ann_file': str(root / 'truth.json'),
            'metric': ['bbox', 'segm'],
        },
        'mmseg_plugin.CocoPanopticMetric': masks,
        'mmseg_plugin.ThingConfusionMetric': masks,
        'mmseg.IoUMetric': {'iou_metrics': ['mIoU', 'mDice']},
    }
    result = {}
    for kind, options in kinds.items():
        evaluator = Evaluator(METRICS.build({'type': kind, **options}))
        evaluator.dataset_meta = folder.METAINFO
        samples = [panoptic_sample(i, m) for i, m in enumerate(maps)]
        if kind.endswith('InstanceMetric'):
            evaluator.dataset_meta = {'classes': instances.CLASSES}
            samples = found
        for index in DefaultSampler(range(IMAGES), shuffle=False):
            evaluator.process([samples[index]])
        result |= evaluator.evaluate(IMAGES)
    return {name: float(value) for name, value in result.items()}


@pytest.mark.parametrize('count', [2, 3])
def test_scores_are_those_of_one_process(tmp_path, count):
    found, maps = write(tmp_path)
    one = scores(0, tmp_path, found, maps)
    assert 0 < one['coco/segm_mAP'] < 1
    assert 0 < one['coco_panoptic/PQ'] < 100
    assert one['confusion/covered'] > 0
    assert 0 < one['mIoU'] < 100
    share = partial(scores, root=tmp_path, found=found, maps=maps)
    for other in on_ranks(
        share, tmp_path, count, 200, start_method='forkserver'
    ):
        assert other == one
