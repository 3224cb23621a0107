"""Batches for the models of configs, and these made small."""

import copy

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData, PixelData

from mmseg_plugin.structures.packed_masks import PackedMasks

SIZE = 96
MOST = {'num_points': 64, 'max_per_img': 20}


def dicts(node):
    """Every dict in a config, outermost first."""
    if isinstance(node, dict):
        yield node
    if isinstance(node, dict | list | tuple):
        values = node.values() if isinstance(node, dict) else node
        for value in values:
            yield from dicts(value)


def shrink(model):
    """A copy that needs no download and little work."""
    model = copy.deepcopy(model)
    for part in dicts(model):
        init = part.get('init_cfg')
        if isinstance(init, dict) and init.get('type') == 'Pretrained':
            part.init_cfg = None
        if part.get('batch_augments'):
            part.batch_augments = None
        for key, most in MOST.items():
            if part.get(key):
                part[key] = min(part[key], most)
        if 'depths' in part:
            part.depths = [min(depth, 2) for depth in part.depths]
        if part.get('depth') == 101:
            part.depth = 50
    if model.data_preprocessor.get('size'):
        model.data_preprocessor.size = (SIZE, SIZE)
    return model


def first(model, key, default=None):
    return next((d[key] for d in dicts(model) if key in d), default)


def thing_and_stuff_counts(model):
    """Numbers of thing and of stuff classes that a model config states."""
    things = first(model, 'num_things_classes')
    if things is None:
        return first(model, 'num_classes'), 0
    return things, first(model, 'num_stuff_classes')


def detection_sample(things, stuff, boxes):
    """Rectangles of thing classes on a background of one stuff class."""
    masks = np.zeros((len(boxes), SIZE, SIZE), np.uint8)
    background = things if stuff else 255
    semantic = torch.full((1, SIZE, SIZE), background, dtype=torch.long)
    labels = torch.arange(len(boxes)) % max(things, 1)
    for i, (x1, y1, x2, y2) in enumerate(boxes):
        masks[i, y1:y2, x1:x2] = 1
        semantic[0, y1:y2, x1:x2] = labels[i]
    sample = DetDataSample(
        gt_instances=InstanceData(
            bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            labels=labels,
            # Both kinds that pipelines give.
            masks=PackedMasks.from_ndarray(masks)
            if len(boxes) == 1
            else BitmapMasks(masks, SIZE, SIZE),
        ),
        ignored_instances=InstanceData(bboxes=torch.zeros(0, 4)),
        gt_sem_seg=PixelData(sem_seg=semantic),
    )
    sample.set_metainfo({'scale_factor': (1.0, 1.0)})
    return sample


def segmentation_sample(classes, offset):
    from mmseg.structures import SegDataSample

    rows = (torch.arange(SIZE) // 24 + offset) % classes
    semantic = rows[None, :, None].expand(1, SIZE, SIZE).clone()
    return SegDataSample(gt_sem_seg=PixelData(data=semantic))


BOXES = [[8, 8, 40, 60], [30, 20, 90, 70], [50, 60, 70, 90]]


def batch(model, boxes=(BOXES, BOXES[:1])):
    """By default two images, the first with three objects, one in the second.

    Args:
        model: config.
        boxes: of the objects of each image; not for models of mmseg.
    """
    things, stuff = thing_and_stuff_counts(model)
    count = len(boxes)
    if 'decode_head' in model:
        samples = [
            segmentation_sample(things + stuff, i) for i in range(count)
        ]
    else:
        samples = [detection_sample(things, stuff, part) for part in boxes]
    for i, sample in enumerate(samples):
        sample.set_metainfo(
            {
                'img_id': i,
                'img_shape': (SIZE, SIZE),
                'ori_shape': (SIZE, SIZE),
                'batch_input_shape': (SIZE, SIZE),
            }
        )
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 255, (count, 3, SIZE, SIZE), generator=generator)
    return {'inputs': list(images.byte()), 'data_samples': samples}
