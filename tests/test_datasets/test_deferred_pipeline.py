"""Deferred masks and maps are those of the published order of steps."""

import copy

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DefaultScope
from peers.published_jitter import (
    Draw,
    jittered_pixels,
    jittered_polygons,
    jittered_rle,
)
from PIL import Image
from pycocotools import mask as mask_utils
from torch.utils.data import DataLoader

from mmseg_plugin.datasets.transforms.large_scale_jitter import (
    Jitter,
    LargeScaleJitter,
)

CROP = 90, 70
JITTER = {
    'type': 'mmseg_plugin.LargeScaleJitter',
    'size': CROP[::-1],
    'ratio_range': (0.2, 3.0),
}
INSTANCES = [
    {'type': 'mmseg_plugin.LoadDeferredAnnotations', 'with_bbox': True},
    JITTER,
    {'type': 'mmseg_plugin.PackMaskInputs'},
]
PANOPTIC = [{'type': 'mmseg_plugin.LoadDeferredPanoptic'}, *INSTANCES[1:]]


def build(steps):
    with DefaultScope.overwrite_default_scope('mmdet'):
        return Compose(copy.deepcopy(steps))


def polygon(rng, size):
    """A star around a point, or any polygon; on and off whole pixels."""
    corners = rng.integers(3, 12)
    if rng.random() < 0.3:
        points = rng.uniform(0, size[::-1], (corners, 2))
    else:
        angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
        reach = rng.uniform(1, max(size) / 2) * rng.uniform(0.3, 1, corners)
        points = np.stack((np.cos(angles), np.sin(angles)), 1)
        points = points * reach[:, None] + rng.uniform(0, size[::-1])
    points = points.clip(-1, np.array(size[::-1]) + 1)
    return points.round(rng.choice([0, 2, 9])).reshape(-1).tolist()


def segmentation(rng, size):
    kind = rng.integers(4)
    if kind < 2:
        return [polygon(rng, size) for _ in range(rng.integers(1, 4))]
    mask = np.zeros(size, np.uint8, 'F')
    top, left = rng.integers(0, size)
    mask[top : top + 20, left : left + 9] = rng.random() < 0.9
    rle = mask_utils.encode(mask)
    if kind == 3:
        flat = mask.ravel('F')
        ends = np.flatnonzero(np.diff(flat)) + 1
        runs = np.diff(ends, prepend=0, append=flat.size).tolist()
        return {'size': list(size), 'counts': [0] * int(flat[0]) + runs}
    return {'size': list(size), 'counts': rle['counts'].decode()}


def sample_info(rng, folder, count):
    size = tuple(rng.integers(20, 120, 2).tolist())
    path = folder / 'image.png'
    cv2.imwrite(str(path), rng.integers(0, 256, (*size, 3), np.uint8))
    instances = [
        {
            'bbox': [0, 0, 1, 1],
            'bbox_label': label,
            'ignore_flag': int(rng.random() < 0.2),
            'mask': segmentation(rng, size),
        }
        for label in range(count)
    ]
    return {
        'img_path': str(path),
        'img_id': 3,
        'height': size[0],
        'width': size[1],
        'instances': instances,
    }


def drawn(steps, info):
    """What a pipeline gives, and what it drew."""
    kept = []
    jitter = steps.transforms[1]
    draw = jitter.draw
    jitter.draw = lambda size: kept.append(draw(size)) or kept[-1]
    packed = steps(copy.deepcopy(info))
    return packed, Draw(*kept[0], CROP)


def wanted(instance, draw, size):
    if isinstance(instance['mask'], dict):
        mask = jittered_rle(instance['mask'], draw)
        y, x = mask.nonzero()
        box = (x.min(), y.min(), x.max() + 1, y.max() + 1) if len(x) else None
        return mask, box
    return jittered_polygons(instance['mask'], draw, size)


@pytest.mark.parametrize('seed', range(40))
def test_instances_are_those_of_the_published_order(seed, tmp_path):
    rng = np.random.default_rng(seed)
    np.random.seed(seed)
    info = sample_info(rng, tmp_path, count=int(seed % 10 > 0) * 6)
    packed, draw = drawn(build(INSTANCES), info)
    image = cv2.imread(info['img_path'])
    want = jittered_pixels(image, draw, 128, Image.Resampling.BILINEAR)
    assert (packed['inputs'].numpy() == want.transpose(2, 0, 1)).all()
    sample = packed['data_samples']
    labels, masks, boxes = [], [], []
    for instance in info['instances']:
        mask, box = wanted(instance, draw, image.shape[:2])
        if mask.any() and not instance['ignore_flag']:
            labels.append(instance['bbox_label'])
            masks.append(mask)
            boxes.append(box)
    found = sample.gt_instances
    assert found.labels.tolist() == labels
    shape = (len(labels), *CROP)
    want = np.array(masks, bool).reshape(shape)
    assert (found.masks.to_ndarray() == want).all()
    np.testing.assert_allclose(
        found.bboxes.numpy(), np.reshape(boxes, (-1, 4)), rtol=1e-6
    )
    assert 'masks' not in sample.ignored_instances
    assert sample.img_shape == CROP


@pytest.mark.parametrize(
    ('seed', 'count'),
    [(0, 0), *((seed, 5) for seed in range(15)), (1, 300), (2, 300)],
)
def test_panoptic_masks_are_those_of_the_resized_map(seed, count, tmp_path):
    rng = np.random.default_rng(seed)
    np.random.seed(seed)
    info = sample_info(rng, tmp_path, 0)
    size = info['height'], info['width']
    colours = rng.choice(1 << 24, count, replace=False).tolist()
    ids = np.zeros(size, np.int32)
    for number in colours:
        top, left = rng.integers(0, size)
        ids[top : top + size[0] // 3, left : left + size[1] // 3] = number
    segments = [
        {'id': i, 'category': int(i % 7), 'is_thing': i % 7 < 4}
        for i in np.unique(ids).tolist()
        if i
    ]
    things = [s for s in segments if s['is_thing']]
    path = str(tmp_path / 'map.png')
    rgb = np.stack((ids, ids >> 8, ids >> 16), 2).astype(np.uint8)
    cv2.imwrite(path, rgb[..., ::-1])
    info.update(
        segments_info=segments,
        seg_map_path=path,
        instances=[
            {'bbox': [0, 0, 1, 1], 'bbox_label': 0, 'ignore_flag': 0}
            for _ in things
        ],
    )
    packed, draw = drawn(build(PANOPTIC), info)
    nearest = Image.Resampling.NEAREST
    want = jittered_pixels(rgb, draw, 255, nearest) @ (1, 256, 65536)
    sample = packed['data_samples']
    masks = np.array([want == s['id'] for s in things]).reshape(-1, *CROP)
    masks = masks[masks.any((1, 2))]
    assert (sample.gt_instances.masks.to_ndarray() == masks).all()
    labels = np.full(CROP, 255)
    for segment in segments:
        labels[want == segment['id']] = segment['category']
    assert (sample.gt_sem_seg.sem_seg[0].numpy() == labels).all()
    boxes = sample.gt_instances.bboxes
    around = BitmapMasks(masks, *CROP).get_bboxes('hbox')
    assert (boxes.numpy() == around.numpy()).all()


@pytest.mark.parametrize('kind', ['polygons', 'rle'])
def test_steps_of_mmdet_note_what_they_do(kind, tmp_path):
    rng = np.random.default_rng(0)
    np.random.seed(1)
    info = sample_info(rng, tmp_path, 0)
    size = info['height'], info['width']
    height, width = size
    mask = [[5, 9, width - 1.3, 2, width - 7, height - 2.25, 0, height / 2]]
    if kind == 'rle':
        rle = mask_utils.merge(mask_utils.frPyObjects(mask, *size))
        mask = {'size': list(size), 'counts': rle['counts'].decode()}
    info['instances'] = [
        {'bbox': [0, 0, 99, 99], 'bbox_label': 1, 'ignore_flag': 0}
    ]
    info['instances'][0]['mask'] = mask
    steps = build(
        [
            {'type': 'LoadImageFromFile'},
            INSTANCES[0],
            {'type': 'mmdet.RandomFlip', 'prob': 1.0},
            {'type': 'mmdet.Resize', 'scale': (200, 160), 'keep_ratio': True},
            {'type': 'mmdet.RandomCrop', 'crop_size': (60, 50)},
            {'type': 'mmdet.Pad', 'size': CROP[::-1]},
            INSTANCES[2],
        ]
    ).transforms
    offsets = []
    crop = steps[4]._rand_offset
    steps[4]._rand_offset = lambda m: offsets.append(crop(m)) or offsets[-1]
    results = info
    for step in steps:
        results = step(results)
    sample = results['data_samples']
    new = tuple(np.round(np.multiply(size, sample.scale_factor[::-1])))
    draw = Draw(True, tuple(map(int, new)), offsets[0], (50, 60))
    want, _ = wanted({'mask': mask}, draw, size)
    found = sample.gt_instances.masks.to_ndarray()
    assert want.any()
    assert (found[0, :50, :60] == want).all()
    assert found.sum() == want.sum()


def test_what_notes_nothing_gets_bitmaps(tmp_path):
    info = sample_info(np.random.default_rng(2), tmp_path, 3)
    results = build(INSTANCES[:1])(info)
    masks = results['gt_masks']
    moved = masks.translate((info['height'], info['width']), 4)
    assert isinstance(moved, BitmapMasks)
    dense = masks.to_ndarray()
    assert (moved.masks[:, :, 4:] == dense[:, :, :-4]).all()


def test_an_rle_of_another_size_is_refused(tmp_path):
    info = sample_info(np.random.default_rng(0), tmp_path, 1)
    rle = mask_utils.encode(np.ones((3, 4), np.uint8, 'F'))
    rle['counts'] = rle['counts'].decode()
    info['instances'][0].update(mask=rle, ignore_flag=0)
    with pytest.raises(ValueError, match='RLE of 3 x 4 pixels belongs to an'):
        build(INSTANCES)(info)


@pytest.mark.parametrize('reduced', [1, 2, 4, 8])
def test_reduced_decoding_is_near_the_full_one(reduced, tmp_path):
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (317, 239))
    info = {'img_path': str(tmp_path / 'a.jpg'), 'height': 239, 'width': 317}
    cv2.imwrite(info['img_path'], image)
    size = 239 // reduced, 317 // reduced
    images = []
    for option in (False, True):
        step = LargeScaleJitter((160, 120), reduced_decoding=option)
        step.draw = lambda _: Jitter(False, size, (0, 0))
        images.append(step(dict(info))['img'].astype(int))
    differs = np.abs(images[0] - images[1])
    assert differs.mean() < 2
    assert (differs.max() > 0) == (reduced > 1)
    info['width'] = 300
    with pytest.raises(ValueError, match='not of the 239 x 300 pixels'):
        step(info)


@pytest.mark.parametrize(
    ('options', 'match'),
    [
        ({'backend': 'pil'}, 'backend is pillow or cv2'),
        ({'ratio_range': (0, 2)}, 'above 0'),
    ],
)
def test_wrong_options_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        LargeScaleJitter(**options)


def test_images_have_to_be_bytes():
    with pytest.raises(ValueError, match='uint8 is needed'):
        LargeScaleJitter()({'img': np.zeros((4, 4, 3), np.float32)})


def test_boxes_without_masks_follow_the_image():
    step = LargeScaleJitter((20, 10))
    step.draw = lambda _: Jitter(True, (20, 40), (5, 0))
    results = build([{'type': 'mmdet.LoadAnnotations'}])(
        {
            'instances': [
                {'bbox': [0, 4, 10, 6], 'bbox_label': 0, 'ignore_flag': 0},
                {'bbox': [12, 4, 20, 10], 'bbox_label': 1, 'ignore_flag': 0},
            ]
        }
    )
    results['img'] = np.zeros((10, 20, 3), np.uint8)
    results['gt_seg_map'] = np.arange(200, dtype=np.uint8).reshape(10, 20)
    results = step(results)
    assert results['gt_bboxes_labels'].tolist() == [1]
    assert results['gt_bboxes'].numpy().tolist() == [[0, 3, 16, 10]]
    assert results['gt_seg_map'][0, 0] == 59
    assert results['scale_factor'] == (2.0, 2.0)


def test_published_draws():
    np.random.seed(0)
    draws = [LargeScaleJitter().draw((480, 640)) for _ in range(400)]
    factors = np.array([d.size[1] / 1024 for d in draws])
    assert 0.1 <= factors.min() < 0.12
    assert 1.98 < factors.max() <= 2
    assert all(abs(d.size[0] / d.size[1] - 0.75) < 0.01 for d in draws)
    assert 0.4 < np.mean([d.flip for d in draws]) < 0.6
    room = np.maximum(np.array([d.size for d in draws]) - 1024, 0)
    share = np.array([d.offset for d in draws]) / np.maximum(room, 1)
    both = (room > 50).all(1)
    np.testing.assert_allclose(*share[both].T, atol=0.02)


def test_workers_hand_over_bits_that_can_be_pinned(tmp_path, monkeypatch):
    info = sample_info(np.random.default_rng(5), tmp_path, 6)
    packed = build(INSTANCES)(info)
    pins = []
    monkeypatch.setattr(
        torch.Tensor, 'pin_memory', lambda self: pins.append(self) or self
    )
    batch = pseudo_collate([packed])
    pinned = batch['data_samples'][0].pin_memory()
    instances = packed['data_samples'].gt_instances
    assert any(p is instances.masks.bits for p in pins)
    assert any(p is instances.labels for p in pins)
    assert pinned.img_path == info['img_path']
    assert (pinned.gt_instances.masks.bits == instances.masks.bits).all()


def test_bits_come_through_a_worker(tmp_path):
    info = sample_info(np.random.default_rng(5), tmp_path, 6)
    packed = build(INSTANCES)(info)
    loader = DataLoader([packed], num_workers=1, collate_fn=pseudo_collate)
    ((sample,),) = [batch['data_samples'] for batch in loader]
    wanted = packed['data_samples'].gt_instances.masks.bits
    assert torch.equal(sample.gt_instances.masks.bits, wanted)
    assert sample.gt_instances.masks.bits.is_shared()
