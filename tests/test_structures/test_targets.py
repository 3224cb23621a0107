"""Targets from mmdet's ground truth."""

import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from mmseg_plugin.structures import Targets, add_stuff
from mmseg_plugin.utils.host import host_copies


def instances(masks):
    return InstanceData(
        labels=torch.tensor([3, 1]),
        masks=masks,
        bboxes=torch.tensor([[0.0, 0, 2, 4], [1, 1, 5, 3]]),
    )


def test_masks_are_padded_and_stay_bits():
    masks = BitmapMasks(np.ones((2, 4, 5), np.uint8), 4, 5)
    target = Targets.from_instances(instances(masks), (6, 8))
    assert target.masks.dtype == torch.uint8
    assert target.masks.shape == (2, 6, 8)
    assert target.masks.sum((1, 2)).tolist() == [20, 20]
    assert target.masks[:, :4, :5].all()
    assert target.boxes is None


def test_masks_larger_than_the_images_are_refused():
    masks = torch.ones(2, 4, 5, dtype=torch.bool)
    with pytest.raises(ValueError, match=r'\(4, 5\) pixels .* \(8, 4\)'):
        Targets.from_instances(instances(masks), (8, 4))


def test_integer_masks_become_bits():
    masks = torch.ones(2, 4, 5, dtype=torch.long)
    target = Targets.from_instances(instances(masks), (4, 5))
    assert target.masks.dtype == torch.bool


def test_boxes_are_relative_to_the_image_without_padding():
    masks = torch.ones(2, 4, 5, dtype=torch.bool)
    target = Targets.from_instances(instances(masks), (8, 8), (4, 5))
    want = torch.tensor([[0.2, 0.5, 0.4, 1], [0.6, 0.5, 0.8, 0.5]])
    torch.testing.assert_close(target.boxes, want)


@pytest.mark.parametrize('given', [None, 1])
def test_boxes_that_are_missing_are_those_around_the_masks(given):
    masks = torch.zeros(2, 4, 5, dtype=torch.bool)
    masks[0, 1:3, 2:4] = True
    masks[1, :, 0] = True
    boxes = None if given is None else torch.tensor([[0.0, 0, 5, 4]])
    target = Targets(torch.tensor([3, 1]), masks).with_boxes(boxes, (4, 5))
    first = [0.6, 0.5, 0.4, 0.5] if given is None else [0.5, 0.5, 1, 1]
    want = torch.tensor([first, [0.1, 0.5, 0.2, 1]])
    torch.testing.assert_close(target.boxes, want)


def test_stuff_is_what_the_semantic_map_holds():
    things = Targets(torch.tensor([0]), torch.ones(1, 2, 3, dtype=torch.bool))
    none = Targets.none(torch.zeros(2, 3))
    # Two things, then stuff 2 and 3; 255 is void.
    sem_seg = torch.tensor([[[0, 3, 3], [255, 2, 1]]])
    before = host_copies.total()
    first, second = add_stuff(
        [things, none], [sem_seg, torch.full((2, 3), 255)], 2, 4
    )
    assert host_copies.total() - before == 1
    assert first.labels.tolist() == [0, 2, 3]
    assert first.masks[1].nonzero().tolist() == [[1, 1]]
    assert first.masks[2].nonzero().tolist() == [[0, 1], [0, 2]]
    assert len(second.labels) == len(second.masks) == 0


def test_things_beside_stuff_have_to_be_things():
    things = Targets(torch.tensor([0, 2]), torch.ones(2, 2, 3).bool())
    sem_seg = torch.full((2, 3), 3)
    with pytest.raises(ValueError, match='label 2 of image 0 of the batch'):
        add_stuff([things], [sem_seg], 2, 4)


def test_all_but_the_ignored_value_have_to_be_classes():
    sem_seg = torch.tensor([[1, 4, 0], [0, 0, 0]])
    none = Targets.none(sem_seg)
    (target,) = add_stuff([none], [sem_seg], 0, 2, ignore_index=4)
    assert target.labels.tolist() == [0, 1]
    with pytest.raises(ValueError, match='label 4 of image a .* 2 classes'):
        add_stuff([none], [sem_seg], 0, 2, image_ids=['a'])
