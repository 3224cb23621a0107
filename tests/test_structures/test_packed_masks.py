"""Packed masks are the bitmaps they were made of, wherever they go."""

import numpy as np
import pytest
import torch
from mmdet.models.utils import preprocess_panoptic_gt
from mmdet.structures.mask import BitmapMasks, mask_target
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from mmseg_plugin.structures import Targets
from mmseg_plugin.structures.deferred_masks import DeferredMasks
from mmseg_plugin.structures.packed_masks import PackedMasks, _unpacked
from mmseg_plugin.structures.placement import flips


def random_masks(width=21, seed=0):
    rng = np.random.default_rng(seed)
    masks = (rng.random((4, 13, width)) < 0.2).astype(np.uint8)
    masks[2] = 0
    return masks


@pytest.fixture(params=[16, 21, 8, 3])
def both(request):
    masks = random_masks(request.param)
    bitmaps = BitmapMasks(masks, *masks.shape[1:])
    return PackedMasks.from_ndarray(masks), bitmaps


def test_what_is_packed_comes_back(both):
    packed, bitmaps = both
    assert packed.bits.numel() == 4 * 13 * -(-bitmaps.width // 8)
    assert (packed.to_ndarray() == bitmaps.masks).all()
    assert (packed.areas == bitmaps.areas).all()
    for dtype in (torch.bool, torch.uint8, torch.float32):
        found = packed.to_tensor(dtype, 'cpu')
        want = bitmaps.to_tensor(dtype, 'cpu')
        assert found.dtype == dtype
        assert torch.equal(found, want)


def test_devices_unpack_by_shifts(both):
    packed, bitmaps = both
    found = _unpacked(packed.bits, packed.width)
    assert torch.equal(found, torch.from_numpy(bitmaps.masks))


def test_boxes_are_around_the_pixels(both):
    packed, bitmaps = both
    found = packed.get_bboxes('hbox')
    assert torch.equal(found.tensor, bitmaps.get_bboxes('hbox').tensor)


@pytest.mark.parametrize(
    'index', [2, [0, 3], [], slice(1, 3), np.array([True, False] * 2)]
)
def test_some_of_them(both, index):
    packed, bitmaps = both
    want = bitmaps[index].masks if np.size(index) else bitmaps.masks[:0]
    assert (packed[index].to_ndarray() == want).all()
    if isinstance(index, np.ndarray):
        chosen = packed[torch.from_numpy(index)]
        assert (chosen.to_ndarray() == want).all()


def test_instances_are_chosen_with_them(both):
    packed, bitmaps = both
    instances = InstanceData(masks=packed, labels=torch.arange(4))
    chosen = instances[torch.tensor([False, True, True, False])]
    assert (chosen.masks.to_ndarray() == bitmaps.masks[1:3]).all()
    assert len(instances[torch.zeros(4, dtype=torch.bool)].masks) == 0


def test_padding_stays_packed(both):
    packed, bitmaps = both
    padded = packed.pad((20, 40))
    assert isinstance(padded, PackedMasks)
    assert (padded.to_ndarray() == bitmaps.pad((20, 40)).masks).all()
    other = packed.pad((20, 40), pad_val=1)
    assert (other.masks == bitmaps.pad((20, 40), pad_val=1).masks).all()
    with pytest.raises(ValueError, match='are larger than 12 x 40'):
        packed.pad((12, 40))


def test_they_move_with_their_sample(both):
    packed, _ = both
    instances = InstanceData(masks=packed, labels=torch.arange(4))
    moved = instances.to('cpu', non_blocking=True)
    assert torch.equal(moved.masks.bits, packed.bits)


def test_bits_of_another_width_are_refused():
    with pytest.raises(ValueError, match=r'\(number, height, 2\) is needed'):
        PackedMasks(torch.zeros(1, 4, 3, dtype=torch.uint8), 16)


def test_targets_are_the_same(both):
    packed, bitmaps = both
    found, want = (
        Targets.from_instances(
            InstanceData(masks=masks, labels=torch.arange(4)), (16, 24)
        )
        for masks in (packed, bitmaps)
    )
    assert found.masks.dtype == torch.bool
    assert torch.equal(found.masks, want.masks.bool())


def test_heads_of_mmdet_take_them(both):
    packed, bitmaps = both
    labels = torch.tensor([0, 1, 1, 0])
    shape = (bitmaps.height, bitmaps.width)
    sem_seg = torch.randint(0, 4, (1, *shape), dtype=torch.uint8)

    found, want = (
        preprocess_panoptic_gt(labels, m.pad(shape), sem_seg, 2, 2)
        for m in (packed, bitmaps)
    )
    assert all(map(torch.equal, found, want))
    boxes = [torch.tensor([[0.0, 0, 3, 9], [1, 2, 3, 13]])]
    config = ConfigDict(mask_size=7)
    found, want = (
        mask_target(boxes, [torch.tensor([0, 3])], [m], config)
        for m in (packed, bitmaps)
    )
    assert torch.equal(found, want)


def test_putting_together():
    masks = PackedMasks.from_ndarray(random_masks())
    assert torch.equal(
        PackedMasks.cat([masks[:1], masks[1:]]).bits, masks.bits
    )
    with pytest.raises(ValueError, match='no masks'):
        PackedMasks.cat([])
    late = DeferredMasks([[np.array([0, 0, 9, 0, 9, 9])]], 13, 21)
    assert (DeferredMasks.cat([late, late]).areas == late.areas).all()
    with pytest.raises(ValueError, match='of the same steps'):
        DeferredMasks.cat([late, late.flip()])


def test_rasterised_once_and_chosen_from():
    square = [np.array([0.0, 0, 9, 0, 9, 9, 0, 9])]
    late = DeferredMasks([square, [np.zeros(6)], square], 13, 21)
    assert late.areas.tolist() == [81, 0, 81]
    some = late[[0, 2]]
    assert torch.equal(some.packed().bits, late.packed().bits[[0, 2]])
    assert some.areas.tolist() == [81, 81]
    assert [len(mask) for mask in late] == [1, 1, 1]
    assert isinstance(late.pad((20, 30), pad_val=1), BitmapMasks)


def test_a_flip_has_a_known_direction():
    assert len(flips('diagonal')) == 2
    with pytest.raises(ValueError, match='not sideways'):
        flips('sideways')
