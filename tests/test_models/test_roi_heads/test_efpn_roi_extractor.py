"""Where RoIs of an extended pyramid go."""

import pytest
import torch

from mmseg_plugin.models.roi_heads import EFPNRoIExtractor


def extractor(**kwargs):
    return EFPNRoIExtractor(
        roi_layer={'type': 'RoIAlign', 'output_size': 1},
        out_channels=1,
        featmap_strides=[2, 4, 8, 16, 32],
        **kwargs,
    )


def squares(*sides):
    side = torch.tensor(sides, dtype=torch.float32)
    low = torch.full_like(side, 3)
    return torch.stack(
        [torch.zeros(len(sides)), low, low, *[low + side] * 2], 1
    )


SIDES = (1, 55, 56, 111, 112, 223, 224, 447, 448, 2000)


@pytest.mark.parametrize(
    ('mode', 'options', 'want'),
    [
        ('train', {}, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]),
        ('test', {}, [0, 0, 0, 0, 2, 2, 3, 3, 4, 4]),
        ('test', {'test_scale': 56}, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]),
        ('train', {'train_scale': 0}, [1, 1, 1, 1, 2, 2, 3, 3, 4, 4]),
        ('test', {'test_scale': 300}, [0, 0, 0, 0, 0, 0, 0, 3, 4, 4]),
    ],
)
def test_levels(mode, options, want):
    each = extractor(**options).train(mode == 'train')
    assert each.map_roi_levels(squares(*SIDES), 5).tolist() == want


def test_scale_is_the_root_of_the_area():
    rois = torch.tensor([[0, 0, 0, 112, 27.9], [0, 0, 0, 112, 28.1]])
    assert extractor().train().is_extended(rois).tolist() == [True, False]


def test_features_come_from_the_level():
    maps = [
        torch.full((1, 1, 512 // s, 512 // s), s) for s in (2, 4, 8, 16, 32)
    ]
    rois = squares(20, 60, 120, 300, 480)
    maps = [each.float() for each in maps]
    feats = extractor().train()(maps, rois).flatten()
    assert feats.tolist() == pytest.approx([2, 4, 8, 16, 32], rel=1e-5)
    assert extractor()(maps, rois[:0]).shape == (0, 1, 1, 1)
