import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from mmseg_plugin.models.fusion.instance_masks import (
    device_masks,
    host_masks,
)
from mmseg_plugin.models.fusion.query_maps import QueryMaps, Sizes
from mmseg_plugin.models.fusion.rle import encode_crop

SIZE = (7, 9)


def whole(pixels: np.ndarray, top: int, left: int) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8, order='F')
    height, width = pixels.shape
    mask[top : top + height, left : left + width] = pixels
    return mask


@pytest.mark.parametrize(
    ('pixels', 'top', 'left'),
    [
        (np.ones(SIZE, bool), 0, 0),
        (np.zeros(SIZE, bool), 0, 0),
        (np.zeros((0, 0), bool), 0, 0),
        (np.ones((1, 1), bool), 0, 0),
        (np.ones((1, 1), bool), 6, 8),
        (np.ones((7, 3), bool), 0, 2),
        (np.eye(5, dtype=bool), 2, 4),
        (np.ones((3, 2), bool), 4, 0),
    ],
)
def test_known_crops(pixels, top, left):
    want = coco_mask.encode(whole(pixels, top, left))
    assert encode_crop(pixels, top, left, SIZE) == want


def test_random_crops():
    random = np.random.default_rng(0)
    for _ in range(100):
        height, width = random.integers(1, 8), random.integers(1, 10)
        top = random.integers(0, 8 - height)
        left = random.integers(0, 10 - width)
        pixels = random.random((height, width)) < 0.6
        want = coco_mask.encode(whole(pixels, top, left))
        assert encode_crop(pixels, int(top), int(left), SIZE) == want


def blobs(number: int, size: tuple[int, int]) -> torch.Tensor:
    """Logits (1, N, *size) of discs, rings, stripes, all and nothing."""
    rows, cols = torch.meshgrid(*map(torch.arange, size), indexing='ij')
    generator = torch.Generator().manual_seed(size[1])
    maps = []
    for i in range(number - 4):
        y, x, share = torch.rand(3, generator=generator)
        away = torch.hypot(rows - y * size[0], cols - x * size[1])
        radius = 1 + share * min(size) / 4
        maps.append((radius - away) * (1 if i % 3 else away - radius / 2))
    ends = torch.full((2, *size), 5.0) * torch.tensor([1, -1])[:, None, None]
    stripes = torch.stack([(3.0 * part).sin() for part in (rows, cols)])
    return torch.cat([torch.stack(maps), ends, stripes])[None]


@pytest.mark.parametrize('where', ['host', 'device'])
@pytest.mark.parametrize(
    ('low', 'padded', 'image', 'out'),
    [
        ((9, 13), (36, 52), (33, 47), (33, 47)),
        ((8, 8), (32, 32), (31, 29), (61, 57)),
        ((16, 5), (64, 20), (63, 17), (101, 27)),
        ((5, 16), (20, 64), (1, 63), (1, 63)),
        ((16, 3), (64, 12), (61, 1), (61, 1)),
        ((256, 512), (1024, 2048), (1024, 2048), (1024, 2048)),
    ],
)
def test_codes_are_those_of_whole_masks(where, low, padded, image, out):
    maps = QueryMaps(blobs(12, low), 0, Sizes(padded, image, out))
    queries, which = torch.arange(12), torch.tensor([3, 0, 3, *range(12)])
    if where == 'host':
        masks = host_masks(queries, maps, 0.5)
    else:
        masks = device_masks(queries, maps, 0.5, 4)
    want = [
        coco_mask.encode(np.asfortranarray(mask.numpy()).view(np.uint8))
        for mask in masks.dense(which)
    ]
    assert masks.codes(which, *masks.to_copy()) == want
    assert len({code['counts'] for code in want}) > 3
