import numpy as np
import pytest
import torch
from mmengine.structures import BaseDataElement, InstanceData, PixelData

from mmseg_plugin.apis.segments import Segment, coco_results, segments_of
from mmseg_plugin.visualization.drawing import draw_segments
from mmseg_plugin.visualization.inputs import sample_segments

CLASSES = ('cat', 'dog')


def sample(**fields):
    element = BaseDataElement()
    for name, value in fields.items():
        element.set_field(value, name)
    return element


def instances(**fields):
    return InstanceData(
        labels=torch.tensor([1, 0]), scores=torch.tensor([0.5, 0.25]), **fields
    )


def test_detector_without_masks():
    boxes = torch.tensor([[1.0, 2.0, 5.0, 8.0], [0.0, 0.0, 2.0, 2.0]])
    result = sample(pred_instances=instances(bboxes=boxes))
    (segments,) = segments_of(result, 2).values()
    rows = coco_results(segments, 3, [7, 9], CLASSES, (10, 10))
    assert rows[0] == {
        'image_id': 3,
        'category_id': 9,
        'category_name': 'dog',
        'bbox': [1, 2, 4, 6],
        'score': 0.5,
    }
    image = np.zeros((10, 10, 3), np.uint8)
    assert draw_segments(image, segments, CLASSES, 'boxes').any()


def test_empty_mask_is_left_out_and_zero_box_comes_from_the_mask():
    masks = torch.zeros(2, 6, 9, dtype=torch.bool)
    masks[1, 2:4, 3:8] = True
    found = instances(bboxes=torch.zeros(2, 4), masks=masks)
    segments = segments_of(sample(pred_instances=found), 2)['instances']
    assert [s.label for s in segments] == [0]
    assert segments[0].box.tolist() == [3, 2, 8, 4]


def test_cropped_mask_is_the_same_object():
    mask = np.zeros((10, 12), bool)
    mask[3:6, 4:9] = True
    mask[3, 4] = False
    whole = Segment(1, mask, np.array([4.0, 3.0, 9.0, 6.0]), 0.5)
    part = whole.cropped()
    assert part.mask.shape == (3, 5)
    assert part.offset == (4, 3)
    np.testing.assert_array_equal(part.whole_mask((10, 12)), mask)
    np.testing.assert_array_equal(part.cropped().mask, part.mask)
    both = [
        coco_results([segment], 3, [7, 9], CLASSES, (10, 12))
        for segment in (whole, part)
    ]
    assert both[0] == both[1]
    pictures = [
        draw_segments(np.zeros((10, 12, 3), np.uint8), [segment], CLASSES, '')
        for segment in (whole, part)
    ]
    np.testing.assert_array_equal(*pictures)
    with pytest.raises(ValueError, match='no mask'):
        part._replace(mask=None).whole_mask((10, 12))


def test_void_is_no_segment():
    ids = torch.tensor([[[2, 2, 0, 1001], [255, 2, 0, 2001]]])
    regions = segments_of(sample(pred_panoptic_seg=PixelData(sem_seg=ids)), 2)
    assert [(s.label, s.mask.sum()) for s in regions['panoptic']] == [
        (0, 2),
        (1, 1),
        (1, 1),
    ]
    void = torch.full((1, 2, 4), 255)
    nothing = segments_of(sample(pred_sem_seg=PixelData(data=void)), 2)
    assert nothing == {'semantic': []}


def test_classes_of_a_map_may_be_many():
    ids = torch.tensor([[[1001, 3], [65535, 255]]])
    found = sample(pred_sem_seg=PixelData(data=ids))
    truth = sample(gt_sem_seg=PixelData(data=ids))
    classes = [str(number) for number in range(1200)]
    for regions in (
        segments_of(found, 1200)['semantic'],
        sample_segments(truth, {'classes': classes}),
    ):
        assert [s.label for s in regions] == [3, 255, 1001]


def test_label_is_left_out_where_it_would_hide_its_object():
    image = np.zeros((800, 800, 3), np.uint8)
    scene = [Segment(0, None, np.array([100.0, 100.0, 104.0, 104.0]), 0.5)]
    small = draw_segments(image, scene, CLASSES, '')
    scene[0].box[2:] = 300
    large = draw_segments(image, scene, CLASSES, '')
    # White text stands above the large, coloured box alone.
    assert small[100:122].min(-1).max() < 127
    assert large[100:122].min(-1).max() > 127
