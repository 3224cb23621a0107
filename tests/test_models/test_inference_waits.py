"""How often inference waits for the device: every method, an image each."""

import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import BaseDataElement

from mmseg_plugin.models.fusion import QueryFusionHead
from mmseg_plugin.utils import host
from mmseg_plugin.utils.host import host_copies
from tests import tiny_efpn, tiny_panoptic_fcn
from tests.tiny_heads import (
    SIZE,
    backbone_maps,
    tiny_mask2former,
    tiny_maskformer,
)
from tests.tiny_mask_dino import tiny_mask_dino, without_masks
from tests.tiny_segmentors import (
    images,
    mask_dino_config,
    maskformer_config,
    query_decode_head,
    run,
    segmentor,
    semantic_samples,
)
from tests.waits import Waits

ALL_RESULTS = {
    'panoptic_on': True,
    'instance_on': True,
    'semantic_on': True,
    'object_mask_thr': 0.0,
    'iou_thr': 0.0,
}
INSTANCES = {'panoptic_on': False, 'instance_on': True, 'max_per_image': 9}


def query_model(head, things=3, **test_cfg):
    """Two images of different size, one copy each."""
    head = head.eval()
    sigmoid = head.cls_embed.out_features == head.num_classes
    stuff = head.num_classes - things
    fusion = QueryFusionHead(
        things, stuff, use_sigmoid=sigmoid, test_cfg=test_cfg
    ).eval()
    metas = [
        {'img_shape': SIZE, 'ori_shape': (50, 70)},
        {'img_shape': (60, 80), 'ori_shape': (120, 160)},
    ]
    samples = [
        DetDataSample(metainfo={'batch_input_shape': SIZE, **meta})
        for meta in metas
    ]
    x = backbone_maps()

    def predict():
        logits, masks, *boxes = head.predict(x, samples)
        return fusion.predict(logits, masks, samples, True, *boxes)

    return predict, {'results': 2}, False


def mask2former():
    return query_model(tiny_mask2former(), **ALL_RESULTS)


def mask2former_instances():
    return query_model(tiny_mask2former(), **INSTANCES)


def mask2former_rle():
    return query_model(tiny_mask2former(), rle=True, **INSTANCES)


def mask2former_with_thresholds():
    return query_model(
        tiny_mask2former(), score_thr=0.1, mask_score=False, **INSTANCES
    )


def mask2former_panoptic():
    return query_model(tiny_mask2former(), filter_low_score=True)


def mask2former_semantic():
    predict, _, others = query_model(
        tiny_mask2former(), panoptic_on=False, semantic_on=True
    )
    return predict, {}, others


def maskformer():
    return query_model(tiny_maskformer(padding_mask=True), **ALL_RESULTS)


def mask_dino():
    return query_model(tiny_mask_dino(), **ALL_RESULTS)


def mask_dino_from_masks():
    head = tiny_mask_dino(initialize_box_type='bitmask')
    return query_model(head, rle=True, **ALL_RESULTS)


def detector_without_masks():
    return query_model(without_masks(), **INSTANCES)


def segmentor_of(config):
    model = segmentor(query_decode_head(config)).eval()
    samples = semantic_samples(torch.zeros(64, 96, dtype=torch.long))
    inputs = images((64, 96))

    def predict():
        return run(model, inputs, samples, training=False)

    return predict, {}, True


def maskformer_segmentor():
    return segmentor_of(maskformer_config())


def mask_dino_segmentor():
    return segmentor_of(mask_dino_config())


def panoptic_fcn(**test_cfg):
    model = tiny_panoptic_fcn.build().eval()
    for part in (model.panoptic_head, model.panoptic_fusion_head):
        part.test_cfg = {
            **part.test_cfg,
            'instance_on': True,
            'score_thr': 0.0,
            'instance_thr': 0.0,
            'stuff_area': 1,
            **test_cfg,
        }
    samples = [tiny_panoptic_fcn.sample(), tiny_panoptic_fcn.sample(())]
    inputs = [image.byte() for image in tiny_panoptic_fcn.images(2)]
    data = {'inputs': inputs, 'data_samples': samples}
    data = model.data_preprocessor(data, False)

    def predict():
        return model(**data, mode='predict')

    return predict, {'results': 2}, True


def panoptic_fcn_that_finds_nothing():
    return panoptic_fcn(center_thr=0.9, region_thr=0.9)


def efpn():
    model = tiny_efpn.build().eval()
    inputs, samples = tiny_efpn.batch()

    def predict():
        return model.predict(inputs, samples)

    # RoIs of boxes, then of masks.
    return predict, {"RoIs of P2'": 2}, True


METHODS = [
    mask2former,
    mask2former_instances,
    mask2former_rle,
    mask2former_with_thresholds,
    mask2former_panoptic,
    mask2former_semantic,
    maskformer,
    mask_dino,
    mask_dino_from_masks,
    detector_without_masks,
    maskformer_segmentor,
    mask_dino_segmentor,
    panoptic_fcn,
    panoptic_fcn_that_finds_nothing,
    efpn,
]


def flat(value, name=''):
    """Everything in results, with its place."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, BaseDataElement | dict):
        for key, part in value.items():
            yield from flat(part, f'{name}.{key}')
    else:
        yield name, value


@pytest.mark.parametrize('build', METHODS)
@torch.no_grad()
def test_one_copy_an_image_and_the_same_results(build, monkeypatch):
    torch.manual_seed(0)
    predict, copies, with_others = build()
    want = dict(flat(predict()))
    monkeypatch.setattr(host, 'on_host', lambda tensor: False)
    host_copies.clear()
    with Waits() as waits:
        results = predict()
    seen = waits.of_package() if with_others else waits.seen
    assert seen == []
    assert host_copies == copies
    got = dict(flat(results))
    assert got.keys() == want.keys()
    for name, value in want.items():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            torch.testing.assert_close(got[name], value, rtol=1e-5, atol=1e-5)
        elif isinstance(value, torch.Tensor):
            assert torch.equal(got[name], value), name
        else:
            assert got[name] == value
