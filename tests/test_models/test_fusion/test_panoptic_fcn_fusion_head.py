import pytest
import torch
from mmengine.structures import InstanceData

from mmseg_plugin.models.fusion import PanopticFCNFusionHead
from mmseg_plugin.models.fusion.panoptic_fcn_fusion_head import (
    fuse_regions,
    fuse_things,
)
from mmseg_plugin.models.fusion.sizes import Sizes
from mmseg_plugin.structures.kernels import Kernels
from tests.tiny_panoptic_fcn import numbered

X, Y, NEAR_X = [1.0, 0.0], [0.0, 1.0], [0.98, 0.2]


def kernels(rows, labels):
    scores = torch.linspace(0.9, 0.5, len(rows))
    return Kernels(torch.tensor(rows), torch.tensor(labels), scores)


def test_similar_kernels_of_a_class_are_averaged():
    fused = fuse_things(kernels([X, Y, NEAR_X], [0, 0, 0]), 0.9)
    torch.testing.assert_close(fused.embed, torch.tensor([[0.99, 0.1], Y]))
    torch.testing.assert_close(fused.scores, torch.tensor([0.9, 0.7]))


def test_other_classes_stay_apart_unless_wanted():
    given = kernels([X, NEAR_X], [0, 1])
    assert fuse_things(given, 0.9).labels.tolist() == [0, 1]
    assert fuse_things(given, 0.9, False).labels.tolist() == [0]


def test_one_that_joined_founds_no_group():
    # The second joins the first; the third is only like the second.
    angle = torch.tensor([0.0, 0.4, 0.8])
    rows = torch.stack((angle.cos(), angle.sin()), 1).tolist()
    fused = fuse_things(kernels(rows, [0, 0, 0]), 0.9)
    assert len(fused.embed) == 1
    torch.testing.assert_close(fused.embed[0], torch.tensor(rows[:2]).mean(0))


def test_nothing_to_fuse():
    none = Kernels(torch.zeros(0, 2), torch.zeros(0).long(), torch.zeros(0))
    assert len(fuse_things(none, 0.9).embed) == 0
    assert len(fuse_regions(none, 3).embed) == 0


def test_regions_are_averaged_by_class():
    fused = fuse_regions(kernels([X, Y, X], [2, 0, 2]), 3)
    assert fused.labels.tolist() == [0, 2]
    torch.testing.assert_close(fused.embed, torch.tensor([Y, X]))
    torch.testing.assert_close(fused.scores, torch.tensor([0.7, 0.7]))


def test_fused_kernels_keep_double_precision():
    given = kernels([X, Y, X], [2, 0, 2])
    given = given._replace(
        embed=given.embed.double(), scores=given.scores.double()
    )
    for fused in (fuse_regions(given, 3), fuse_things(given, 0.9)):
        assert fused.embed.dtype == fused.scores.dtype == torch.double


def test_region_maps_in_double_precision():
    features = torch.ones(2, 2, 2, dtype=torch.double)
    stuff = kernels([X, Y], [2, 0])
    sizes = Sizes((8, 8), (8, 8), (4, 10))
    maps = head().regions(stuff, features, sizes, torch.arange(2))
    assert maps.shape == (3, 4, 10)
    assert maps[[0, 2]].min() > 0.7  # sigmoid(1)
    assert not maps[1].any()


def instances(*columns, scores=None):
    """Instances of class 0 that fill the given ranges of columns."""
    masks = torch.zeros(len(columns), 4, 10, dtype=torch.bool)
    for mask, (first, last) in zip(masks, columns, strict=True):
        mask[:, first:last] = True
    if scores is None:
        scores = [0.9 - 0.1 * i for i in range(len(columns))]
    return InstanceData(
        masks=masks,
        scores=torch.tensor(scores),
        labels=torch.zeros(len(columns), dtype=torch.long),
    )


def head(kind='stuff_and_thing', **test_cfg):
    test_cfg = {'stuff_area': 1, **test_cfg}
    return PanopticFCNFusionHead(1, 2, kind, test_cfg)


def paste(head, found, regions):
    good = found.scores >= head.test_cfg.get('instance_thr', 0.2)
    return numbered(head.panoptic(found, regions, int(good.sum())))


def regions(num=3, best=1):
    maps = torch.full((num, 4, 10), 0.1)
    maps[best] = 0.8
    return maps


def test_unknown_keys_of_test_cfg_are_refused():
    with pytest.raises(ValueError, match=r"\['pano_thr'\].*'region_thr'"):
        head(pano_thr=0.5, center_thr=0.5)


def test_things_are_pasted_by_score_then_stuff():
    pasted = paste(head(), instances((0, 4), (3, 6)), regions())
    assert pasted.winner[0].tolist() == [1, 1, 1, 1, 2, 2, 3, 3, 3, 3]
    assert pasted.labels.tolist() == [0, 0, 1]
    assert pasted.instance.tolist() == [0, 1, -1]


def test_covered_and_weak_things_are_left_out():
    found = instances((0, 4), (1, 5), (6, 8), (8, 9), scores=[0.9] * 3 + [0.1])
    pasted = paste(head(), found, regions())
    # 3 of 4 columns are covered; a score of 0.1 is below 0.2.
    assert pasted.instance.tolist() == [0, 2, -1]
    half = instances((0, 4), (2, 6))
    assert paste(head(), half, regions()).instance.tolist() == [0, 1, -1]
    empty = instances((2, 2))
    assert paste(head(), empty, regions()).instance.tolist() == [-1]


@pytest.mark.parametrize(
    ('kind', 'num', 'best', 'label'),
    [
        ('stuff', 2, 0, 1),
        ('stuff_and_thing', 3, 2, 2),
        ('stuff_and_thing', 3, 0, None),
        ('all', 3, 1, 1),
        ('all', 3, 0, None),
    ],
)
def test_regions_of_things_are_no_stuff(kind, num, best, label):
    pasted = paste(head(kind), instances(), regions(num, best))
    assert pasted.labels.tolist() == ([] if label is None else [label])


def test_small_stuff_is_void():
    found = instances((0, 6))
    kept = paste(head(stuff_area=16), found, regions())
    assert kept.labels.tolist() == [0, 1]
    dropped = head(stuff_area=17)
    segments = dropped.panoptic(found, regions(), 1)
    assert numbered(segments).labels.tolist() == [0]
    encoded = dropped._encode(segments)
    assert encoded[0].tolist() == [1000] * 6 + [3] * 4


def test_no_region_found_is_no_stuff():
    pasted = paste(head('stuff'), instances(), torch.zeros(2, 4, 10))
    assert pasted.labels.tolist() == []
