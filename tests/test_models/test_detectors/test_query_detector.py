import copy

import pytest
import torch
from mmdet.evaluation import SemSegMetric
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import PixelData

from mmseg_plugin.registry import MODELS
from tests.test_configs import CONFIGS
from tests.tiny_heads import SIZE, samples
from tests.tiny_segmentors import maskformer_config

RESULTS = {
    'pred_instances': {'instance_on': True, 'panoptic_on': False},
    'pred_panoptic_seg': {'panoptic_on': True},
    'pred_sem_seg': {'semantic_on': True, 'panoptic_on': False},
}


def build(**head):
    path = CONFIGS / 'maskdino/maskdino_tiny_demo_scenes-panoptic.py'
    config = Config.fromfile(path).model
    config.panoptic_head.update(head)
    if 'out_channels' in head:
        costs = config.train_cfg.assigner.costs
        config.train_cfg.assigner.costs = [
            cost for cost in costs if 'Mask' not in cost.type
        ]
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(config)


def batch():
    """Two images with padding, results at another size."""
    found = samples(2, 0)
    for sample in found:
        sample.set_metainfo({'img_shape': (60, 90), 'ori_shape': (30, 45)})
    return torch.randn(2, 3, *SIZE), found


@pytest.mark.parametrize('key', RESULTS)
def test_predicts_what_is_asked_for(key):
    model = build().eval()
    model.panoptic_fusion_head.test_cfg = RESULTS[key] | {
        'temperature': 0.06,
        'drop_empty': False,
    }
    results = model.predict(*batch())
    for result in results:
        keys = {name for name in result.all_keys() if name.startswith('pred_')}
        assert keys == {key}
        if key == 'pred_instances':
            assert result.pred_instances.masks.shape == (100, 30, 45)
        else:
            assert result.get(key).sem_seg.shape == (1, 30, 45)


@pytest.mark.parametrize(('shift', 'iou'), [(0, 100), (1, 0)])
def test_one_panoptic_run_gives_everything(shift, iou):
    """Also what mmdet's metric of semantic maps wants."""
    metric = SemSegMetric(iou_metrics=['mIoU'])
    metric.dataset_meta = {'classes': [str(i) for i in range(9)]}
    for result in build().eval().predict(*batch()):
        assert set(RESULTS) <= set(result.all_keys())
        truth = (result.pred_sem_seg.sem_seg + shift) % 9
        result.gt_sem_seg = PixelData(sem_seg=truth)
        metric.process({}, [result.to_dict()])
    assert metric.evaluate(2)['mIoU'] == iou


def test_boxes_are_predicted_not_drawn_around_masks():
    model = build().eval()
    model.panoptic_fusion_head.test_cfg = RESULTS['pred_instances']
    inputs, found = batch()
    _, _, boxes = model.panoptic_head.predict(model.extract_feat(inputs), None)
    (result, _) = model.predict(inputs, found)
    # Relative to the padded input, as published.
    height, width = SIZE[0] / 60 * 30, SIZE[1] / 90 * 45
    centre, extent = boxes[0].split(2, -1)
    corners = torch.cat((centre - extent / 2, centre + extent / 2), -1)
    corners = corners * torch.tensor([width, height, width, height])
    near = (result.pred_instances.bboxes[:, None] - corners).abs().amax(-1)
    assert near.amin(1).max() < 1e-3


def test_detector_without_masks():
    model = build(
        out_channels=None, loss_mask=None, num_stuff_classes=0
    ).eval()
    for result in model.predict(*batch()):
        found = result.pred_instances
        assert 'masks' not in found
        assert found.bboxes.shape == (100, 4)
        assert (found.scores.diff() <= 0).all()
        assert found.labels.max() < 6


def test_prediction_does_not_depend_on_targets():
    model = build().eval()
    inputs, found = batch()
    empty = copy.deepcopy(found)
    for sample in empty:
        sample.gt_instances = sample.gt_instances[:0]
    first, second = model.predict(inputs, found), model.predict(inputs, empty)
    for one, other in zip(first, second, strict=True):
        assert torch.equal(
            one.pred_instances.scores, other.pred_instances.scores
        )


TINY = {
    'Mask2Former': 'mask2former/mask2former_tiny_demo_scenes-panoptic.py',
    'MaskDINO': 'maskdino/maskdino_tiny_demo_scenes-panoptic.py',
}


def of_kind(kind, **test_cfg):
    """A tiny model with a head of this kind, in the detector of all."""
    path = TINY.get(kind, TINY['Mask2Former'])
    config = Config.fromfile(CONFIGS / path).model
    config.type = 'mmseg_plugin.QueryDetector'
    config.test_cfg = test_cfg
    if kind == 'MaskFormer':
        widths = config.panoptic_head.in_channels
        counts = {'num_things_classes': 6, 'num_stuff_classes': 3}
        config.panoptic_head = maskformer_config(in_channels=widths, **counts)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(config).eval()


@pytest.mark.parametrize('kind', ['Mask2Former', 'MaskFormer', 'MaskDINO'])
def test_one_pass_gives_everything_with_every_head(kind):
    model = of_kind(kind, instance_on=True, semantic_on=True)
    inputs, found = batch()
    once = model.predict(inputs, found)
    for key, options in RESULTS.items():
        alone = of_kind(kind, **options, resize_masks=True)
        for got, want in zip(
            once, alone.predict(inputs, batch()[1]), strict=True
        ):
            if key == 'pred_instances':
                # Beside panoptic results, instances are things.
                assert (got.pred_instances.labels < 6).all()
                assert {'masks', 'scores'} <= set(got.pred_instances.keys())
            else:
                assert torch.equal(got.get(key).sem_seg, want.get(key).sem_seg)


@pytest.mark.parametrize('kind', ['Mask2Former', 'MaskDINO'])
def test_compile_switch(kind):
    """Networks are compiled, results and names are the same."""
    results = []
    for compile in (False, {'backend': 'eager'}):
        path = TINY[kind]
        config = Config.fromfile(CONFIGS / path).model
        config.compile = compile
        torch.manual_seed(0)
        with DefaultScope.overwrite_default_scope('mmdet'):
            model = MODELS.build(config).eval()
        for part in (model.backbone, model.panoptic_head):
            assert bool(part._compiled_call_impl) == bool(compile)
        torch.manual_seed(1)
        with torch.no_grad():
            found = model.predict(*batch())
        results.append((set(model.state_dict()), found))
    (names, plain), (compiled_names, compiled) = results
    assert names == compiled_names
    for ours, other in zip(compiled, plain, strict=True):
        assert torch.equal(
            ours.pred_panoptic_seg.sem_seg, other.pred_panoptic_seg.sem_seg
        )
