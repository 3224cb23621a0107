"""More than 255 classes, whose labels are where void used to be."""

import mmcv
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import PixelData

from mmseg_plugin.datasets.transforms.load_panoptic import (
    LoadPanopticAnnotations,
)
from mmseg_plugin.datasets.transforms.object_crop import (
    CropObject,
    ResizeToObject,
)
from mmseg_plugin.models.decode_heads import (
    PerPixelBaselineHead,
    QueryDecodeHead,
)
from mmseg_plugin.models.fusion import QueryFusionHead
from mmseg_plugin.models.fusion.panoptic_fcn_fusion_head import (
    PanopticFCNFusionHead,
)
from tests.tiny_heads import tiny_mask2former, tiny_maskformer
from tests.tiny_segmentors import mask2former_config, maskformer_config

WIDE = 65535
ADE_FULL = {'num_things_classes': 0, 'num_stuff_classes': 847}


def sample(labels: list[int], void: int) -> DetDataSample:
    seg = torch.full((1, 64, 96), void)
    for i, label in enumerate(labels):
        seg[:, 8 * i : 8 * i + 8] = label
    found = DetDataSample(metainfo={'batch_input_shape': (64, 96)})
    found.gt_sem_seg = PixelData(sem_seg=seg)
    return found


@pytest.mark.parametrize('build', [tiny_mask2former, tiny_maskformer])
def test_query_heads_learn_every_label(build):
    with pytest.raises(ValueError, match='ignore_index=255 is one of the 847'):
        build(**ADE_FULL)
    head = build(**ADE_FULL, ignore_index=WIDE)
    (target,) = head.get_targets([sample([254, 255, 256, 846], WIDE)])
    assert target.labels.tolist() == [254, 255, 256, 846]
    # Things alone know no void.
    build(num_things_classes=300, num_stuff_classes=0)


@pytest.mark.parametrize('config', [mask2former_config, maskformer_config])
def test_segmentors_learn_every_label(config):
    head = {'head': config(), 'num_classes': 847}
    with pytest.raises(ValueError, match='ignore_index=255 is one of the 847'):
        QueryDecodeHead(**head)
    head = QueryDecodeHead(**head, ignore_index=WIDE)
    seg = sample([255, 300], WIDE)
    seg.gt_sem_seg = PixelData(data=seg.gt_sem_seg.sem_seg)
    (target,) = head.get_targets([seg])
    assert target.labels.tolist() == [255, 300]


def test_per_pixel_heads_refuse_void_among_the_classes():
    with pytest.raises(ValueError, match='ignore_index=255 is one of the 300'):
        PerPixelBaselineHead([4], {}, num_classes=300)


def test_panoptic_ids_have_room_for_999_classes():
    many = {'num_things_classes': 600, 'num_stuff_classes': 400}
    for head in (QueryFusionHead, PanopticFCNFusionHead):
        with pytest.raises(ValueError, match='1000 classes: .* at most 999'):
            head(**many)
        head(**{**many, 'num_stuff_classes': 399})
    lvis = {'num_things_classes': 1203, 'num_stuff_classes': 0}
    QueryFusionHead(
        **lvis, test_cfg={'panoptic_on': False, 'instance_on': True}
    )


def test_the_resize_keeps_every_label():
    labels = np.arange(0, 1200, 4, dtype=np.int32).reshape(15, 20)
    results = {
        'img': np.zeros((15, 20, 3), np.uint8),
        'gt_seg_map': labels,
        'crop_object': CropObject(0, (0, 0, 10, 10), 20),
    }
    resize = ResizeToObject((8, 99), 99, (20,), 99)
    got = resize(results)['gt_seg_map']
    assert got.shape == (30, 40)
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got[::2, ::2], labels)


def test_the_loader_refuses_void_among_the_classes(tmp_path):
    path = str(tmp_path / 'map.png')
    mmcv.imwrite(np.full((4, 5, 3), [0, 0, 9], np.uint8), path)

    def load(label, **options):
        segment = {'id': 9, 'category': label, 'is_thing': False}
        results = {
            'instances': [],
            'segments_info': [segment],
            'seg_map_path': path,
        }
        return LoadPanopticAnnotations(**options)(results)

    for label in (255, 256):
        with pytest.raises(ValueError, match=f'label {label} is not below'):
            load(label)
        got = load(label, ignore_index=WIDE)
        assert (got['gt_seg_map'] == label).all()
        assert got['ignore_index'] == WIDE
