"""Large scale jittering from files to packed samples, against mmdet's steps.

Images and masks of a draw are compared with the published order, done step by
step. mmdet's steps resize bitmaps, which gives other outlines; they are what
is timed.
"""

import copy
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import mmcv
import numpy as np
from harness import Arms, bench
from input_data import instance_infos, panoptic_infos
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from peers.published_jitter import Draw, jittered_pixels, jittered_polygons
from PIL import Image

from mmseg_plugin.datasets.transforms.large_scale_jitter import Jitter

IMAGES = 4
SIZE = (1024, 1024)
FLIP_RESIZE_CROP = [
    {'type': 'mmdet.RandomFlip', 'prob': 0.5},
    {
        'type': 'mmcv.RandomResize',
        'scale': SIZE,
        'ratio_range': (0.1, 2.0),
        'resize_type': 'mmdet.Resize',
        'keep_ratio': True,
    },
    {
        'type': 'mmdet.RandomCrop',
        'crop_size': SIZE,
        'crop_type': 'absolute',
        'recompute_bbox': True,
        'allow_negative_crop': True,
    },
]
PAD = {
    'type': 'mmdet.Pad',
    'size': SIZE,
    'pad_val': {'img': 128, 'seg': 255, 'masks': 0},
}


class Kind(NamedTuple):
    """One kind of annotations.

    Attributes:
        infos: makes entries of images with a number of objects.
        load: step that loads them for mmdet's steps.
        late: step that loads them for ours.
        last: steps of mmdet behind the crop.
    """

    infos: Callable[[int, int], list[dict]]
    load: dict
    late: str
    last: list[dict]


KINDS = {
    'instances': Kind(
        instance_infos,
        {'type': 'mmdet.LoadAnnotations', 'with_mask': True},
        'mmseg_plugin.LoadDeferredAnnotations',
        [
            {
                'type': 'mmdet.FilterAnnotations',
                'min_gt_bbox_wh': (1e-5, 1e-5),
                'by_mask': True,
                'keep_empty': False,
            },
            PAD,
        ],
    ),
    'panoptic': Kind(
        panoptic_infos,
        {'type': 'mmseg_plugin.LoadPanopticAnnotations'},
        'mmseg_plugin.LoadDeferredPanoptic',
        [PAD],
    ),
}


def pipelines(kind: Kind, backend: str) -> tuple[Compose, Compose]:
    """Our steps and mmdet's."""
    ours = [
        {'type': kind.late, 'backend': backend},
        {'type': 'mmseg_plugin.LargeScaleJitter', 'backend': backend},
        {'type': 'mmseg_plugin.PackMaskInputs'},
    ]
    peer = [
        {'type': 'mmcv.LoadImageFromFile', 'to_float32': True},
        kind.load,
        *FLIP_RESIZE_CROP,
        *kind.last,
        {'type': 'mmdet.PackDetInputs'},
    ]
    with DefaultScope.overwrite_default_scope('mmdet'):
        return Compose(ours), Compose(peer)


def check(ours: Compose, name: str, info: dict, backend: str) -> None:
    """Compares one draw with the published steps, one after the other."""
    jitter = Jitter(True, (900, 1200), (0, 100))
    ours.transforms[1].draw = lambda _: jitter
    packed = ours(copy.deepcopy(info))
    del ours.transforms[1].draw
    draw = Draw(*jitter, SIZE)
    image = mmcv.imread(info['img_path'])
    if backend == 'pillow':
        image = jittered_pixels(image, draw, 128, Image.Resampling.BILINEAR)
    else:
        image = cv2.resize(np.flip(image, 1), jitter.size[::-1])[:, 100:1124]
        image = np.pad(image, ((0, 124), (0, 0), (0, 0)), constant_values=128)
    assert (packed['inputs'].numpy() == image.transpose(2, 0, 1)).all()
    sample = packed['data_samples']
    if name == 'panoptic':
        ids = mmcv.imread(info['seg_map_path'])
        if backend == 'pillow':
            nearest = Image.Resampling.NEAREST
            ids = jittered_pixels(ids, draw, 255, nearest) @ (65536, 256, 1)
            want = [
                ids == s['id'] for s in info['segments_info'] if s['is_thing']
            ]
    else:
        size = image_size(info)
        want = [
            jittered_polygons(instance['mask'], draw, size)[0]
            for instance in info['instances']
        ]
    if name == 'instances' or backend == 'pillow':
        seen = np.array([mask for mask in want if mask.any()])
        assert (sample.gt_instances.masks.to_ndarray() == seen).all()


def image_size(info: dict) -> tuple[int, int]:
    """Height and width of an entry's image."""
    return info['height'], info['width']


def input_pipeline(name: str, objects: int, backend: str) -> Arms:
    """Both pipelines over a few images, from file to packed sample."""
    cv2.setNumThreads(0)
    kind = KINDS[name]
    infos = kind.infos(IMAGES, objects)
    ours, peer = pipelines(kind, backend)
    check(ours, name, infos[0], backend)

    def run(steps: Compose) -> Callable[[], Any]:
        def call() -> None:
            for seed, info in enumerate(infos):
                np.random.seed(seed)
                steps(copy.deepcopy(info))

        return call

    return Arms(run(ours), run(peer))


def target_bytes() -> Arms:
    """Megabytes of targets that a worker hands over for one image."""
    (info,) = instance_infos(1, 20)
    ours, peer = pipelines(KINDS['instances'], 'pillow')
    ours.transforms[1].ratio_range = (1.0, 1.0)
    peer.transforms[3].ratio_range = (1.0, 1.0)

    def size(steps: Compose) -> Callable[[], float]:
        def call() -> float:
            sample = steps(copy.deepcopy(info))['data_samples']
            return len(pickle.dumps(sample)) / 1e9

        return call

    return Arms(size(ours), size(peer))


for _name, _target in (('instances', 3), ('panoptic', 2)):
    for _backend, _suffix in (('pillow', ''), ('cv2', '_cv2')):
        bench(f'input_pipeline_{_name}{_suffix}', 'mmdet steps', _target)(
            lambda name=_name, backend=_backend: input_pipeline(
                name, 20, backend
            )
        )
bench('input_pipeline_instances_500', 'mmdet steps', 6)(
    lambda: input_pipeline('instances', 500, 'pillow')
)
bench('input_pipeline_target_bytes', 'mmdet steps', 7, 'GB')(target_bytes)
