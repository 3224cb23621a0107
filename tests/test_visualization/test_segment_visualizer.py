"""Results that mmdet's own visualizer and dump cannot take."""

import pickle

import cv2
import numpy as np
import pytest
import torch
from mmdet.evaluation.metrics import DumpDetResults
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData, PixelData
from pycocotools import mask as mask_utils

from mmseg_plugin.apis.dump import DumpAnyResults
from mmseg_plugin.apis.segments import instances_of
from mmseg_plugin.visualization import SegmentVisualizer
from tests.test_configs import LEAVES, by_name, load

SIZE = (40, 60)
IMAGE = np.full((*SIZE, 3), 90, np.uint8)
CLASSES = ('cat', 'dog')


def masks(*squares):
    out = torch.zeros(len(squares), *SIZE, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(out, squares, strict=True):
        mask[y1:y2, x1:x2] = True
    return out


def as_rle(dense):
    return [
        mask_utils.encode(np.asfortranarray(m, np.uint8))
        for m in dense.numpy()
    ]


def instances(found, boxes=False):
    count = len(found)
    corners = torch.tensor([[2.0, 2, 20, 20]]).expand(count, 4)
    return InstanceData(
        bboxes=corners * boxes,
        labels=torch.arange(count) % 2,
        scores=torch.linspace(1, 0.5, count) if count else torch.zeros(0),
        masks=found,
    )


def draw(palette=None, size=SIZE, **fields):
    visualizer = SegmentVisualizer()
    visualizer.dataset_meta = {'classes': CLASSES, 'palette': palette}
    sample = DetDataSample(metainfo={'ori_shape': size})
    for name, value in fields.items():
        setattr(sample, name, value)
    visualizer.add_datasample('', IMAGE, sample, draw_gt=False)
    return visualizer.get_image()


SCENES = {
    'two': masks((2, 2, 20, 20), (30, 5, 50, 30)),
    'none': masks(),
    'an empty one': masks((2, 2, 20, 20), (0, 0, 0, 0), (30, 5, 50, 30)),
    'only empty ones': masks((0, 0, 0, 0)),
}


@pytest.mark.parametrize('dense', SCENES.values(), ids=SCENES)
@pytest.mark.parametrize('boxes', [True, False])
def test_rle_is_drawn_as_the_tensor_is(dense, boxes):
    np.random.seed(0)
    want = draw(pred_instances=instances(dense, boxes))
    np.random.seed(0)
    found = draw(pred_instances=instances(as_rle(dense), boxes))
    np.testing.assert_array_equal(found, want)
    assert (want != IMAGE).any() == bool(dense.any() or boxes and len(dense))


@pytest.mark.parametrize('void', [2, 255, 1255])
def test_void_maps(void):
    nothing = torch.full((1, *SIZE), void)
    for kind in ('pred_panoptic_seg', 'pred_sem_seg'):
        picture = draw(**{kind: PixelData(sem_seg=nothing)})
        np.testing.assert_array_equal(picture, IMAGE)
        part = nothing.clone()
        part[:, :20] = 1
        picture = draw(**{kind: PixelData(sem_seg=part)})
        assert (picture[:20] != 90).any()
        np.testing.assert_array_equal(picture[25:], IMAGE[25:])


@pytest.mark.parametrize(
    'palette', [None, 'random', [(9, 9, 9)], ((9, 9, 9), (200, 9, 9))]
)
def test_any_palette(palette):
    part = torch.zeros(1, *SIZE, dtype=torch.long)
    part[:, 20:] = 1
    for kind in ('pred_panoptic_seg', 'pred_sem_seg'):
        picture = draw(palette, **{kind: PixelData(sem_seg=part)})
        assert (picture[5, 5] != picture[35, 5]).any()
    draw(palette, pred_instances=instances(SCENES['two']))


def test_an_image_that_the_caller_turned(tmp_path):
    path = tmp_path / 'a.png'
    cv2.imwrite(str(path), np.full((60, 40, 3), 33, np.uint8))
    visualizer = SegmentVisualizer()
    sample = DetDataSample(
        metainfo={'ori_shape': (60, 40), 'img_path': str(path)}
    )
    visualizer.add_datasample('', IMAGE, sample)
    assert visualizer.get_image().shape[:2] == (60, 40 * 2)


def test_dumped_rle_is_what_mmdet_dumps(tmp_path):
    dense = SCENES['two']
    dumped = []
    for kind, found in [
        (DumpDetResults, dense),
        (DumpAnyResults, dense),
        (DumpAnyResults, as_rle(dense)),
    ]:
        file = tmp_path / 'out.pkl'
        metric = kind(out_file_path=str(file))
        sample = DetDataSample(pred_instances=instances(found))
        metric.process({}, [sample.to_dict()])
        metric.evaluate(1)
        with file.open('rb') as stream:
            (result,) = pickle.load(stream)
        dumped.append(result['pred_instances']['masks'])
    assert dumped[0] == dumped[1] == dumped[2]


@pytest.mark.parametrize('dense', SCENES.values(), ids=SCENES)
def test_segments_of_rle(dense):
    want, found = (
        instances_of(instances(part)) for part in (dense, as_rle(dense))
    )
    assert len(found) == len(want)
    for one, other in zip(found, want, strict=True):
        np.testing.assert_array_equal(one.mask, other.mask)
        np.testing.assert_array_equal(one.box, other.box)


def gives_maps_or_rle(path):
    head = load(path).model.get('panoptic_fusion_head', {}).get('type', '')
    return head.startswith('mmseg_plugin.')


@pytest.mark.parametrize('path', by_name(LEAVES))
def test_configs_draw_with_it(path):
    config = load(path)
    if config.default_scope == 'mmdet' and gives_maps_or_rle(path):
        assert config.visualizer.type == 'mmseg_plugin.SegmentVisualizer'
        assert config.visualizer.name == 'visualizer'
