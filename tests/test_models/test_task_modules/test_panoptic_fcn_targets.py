import pytest
import torch

from mmseg_plugin.models.task_modules.panoptic_fcn_targets import (
    PanopticFCNTargetGenerator,
)
from mmseg_plugin.models.task_modules.region_classes import RegionClasses
from mmseg_plugin.structures import Targets

SIZE = (64, 128)
LEVELS = [(8, 16), (4, 8)]
SCALES = [(1, 40), (20, 100)]


def target(*boxes, labels=None):
    masks = torch.zeros(len(boxes), *SIZE, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    corners = torch.tensor(boxes).float().reshape(-1, 4)
    first, last = corners.split(2, 1)
    relative = torch.cat(((first + last) / 2, last - first), 1)
    relative /= torch.tensor([128, 64, 128, 64])
    if labels is None:
        labels = [0] * len(boxes)
    return Targets(torch.tensor(labels, dtype=torch.long), masks, relative)


def generate(targets, regions=None, **options):
    generator = PanopticFCNTargetGenerator(2, 3, SCALES, **options)
    if regions is None:
        regions = torch.full((len(targets), *SIZE), -1)
    return generator.generate(targets, regions, LEVELS)


def test_radius_is_cornernets_first_formula():
    generator = PanopticFCNTargetGenerator(1, 1)
    extents = torch.tensor([[16.0, 16.0], [0.5, 0.5], [32.0, 8.0]])
    # Third roots: (-44.8 + 53.55) / 2 = 4.37, 0.13, (-56 + 63.2) / 2 = 3.6.
    assert generator._radii(extents).tolist() == [4, 0, 3]


def test_the_scales_of_things_are_the_published_ones():
    scales = [(1, 64), (32, 128), (64, 256), (128, 512), (256, 2048)]
    generator = PanopticFCNTargetGenerator(1, 1)
    assert [tuple(pair) for pair in generator.instance_scales] == scales


def test_heatmap_of_one_thing():
    found = generate([target((32, 16, 64, 48), labels=[1])]).levels[0]
    assert found.centers.tolist() == [[5, 3]]  # mass centre 11.5, 7.5 of 32
    assert found.radii.tolist() == [1]
    heatmap = found.heatmap[0]
    assert not heatmap[0].any()
    assert heatmap[1, 3, 5] == 1
    # sigma = (2 * 1 + 1) / 3 = 1
    assert heatmap[1, 3, 6] == pytest.approx(0.60653, abs=1e-5)
    assert heatmap[1, 2, 4] == pytest.approx(0.36788, abs=1e-5)
    assert (heatmap[1] > 0).sum() == 9


def test_nearest_thing_of_a_class_counts():
    both = generate([target((32, 16, 64, 48), (40, 16, 72, 48))]).levels[0]
    single = [
        generate([target(box)]).levels[0].heatmap
        for box in ((32, 16, 64, 48), (40, 16, 72, 48))
    ]
    assert torch.equal(both.heatmap, torch.maximum(*single))


def test_ranges_overlap_and_include_their_ends():
    boxes = (0, 0, 16, 16), (0, 0, 32, 32), (0, 0, 100, 64), (0, 0, 40, 40)
    first, second = generate([target(*boxes)]).levels
    assert first.thing.tolist() == [0, 1, 3]
    assert second.thing.tolist() == [1, 2, 3]


def test_things_are_numbered_over_the_batch():
    found = generate([target((0, 0, 8, 8)), target((8, 8, 16, 16))])
    assert found.image.tolist() == [0, 1]
    assert found.levels[0].thing.tolist() == [0, 1]
    assert found.levels[0].heatmap[1].any()


def test_centre_of_mass_or_box():
    thing = target((0, 0, 32, 32))
    thing.masks[0, :, 8:] = False
    mass = generate([thing]).levels[0].centers
    box = generate([thing], center='box').levels[0].centers
    assert mass.tolist() == [[0, 1]]
    assert box.tolist() == [[2, 2]]
    with pytest.raises(ValueError, match="'mass' or 'box'"):
        generate([thing], center='corner')


def generate_wide(boxes, **options):
    """Targets of squares in an image of 64 x 352, with cells of 8 x 8."""
    corners = torch.tensor(boxes)
    masks = torch.zeros(len(boxes), 64, 352, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes, strict=True):
        mask[y1:y2, x1:x2] = True
    first, last = corners.to(options.pop('dtype', torch.float)).split(2, 1)
    relative = torch.cat(((first + last) / 2, last - first), 1)
    relative /= relative.new_tensor([352, 64, 352, 64])
    labels = torch.zeros(len(boxes), dtype=torch.long)
    return PanopticFCNTargetGenerator(1, 1, [(1, 64)], **options).generate(
        [Targets(labels, masks, relative)],
        torch.full((1, 64, 352), -1),
        [(8, 44)],
    )


def test_centre_of_mass_on_the_border_of_two_cells():
    # One pixel at stride 4, (26, 4): 26 * 44 / 88 = 13 and 4 * 8 / 16 = 2.
    # Divided by the width first, 26 / 88 * 44 is 12.999999.
    found = generate_wide([(104, 16, 108, 20)]).levels[0]
    assert found.centers.tolist() == [[13, 2]]


def test_boxes_of_whole_pixels_stay_whole():
    # Centres 8 * i are where cell i starts, for every column of cells.
    boxes = [(8 * i - 4, 28, 8 * i + 4, 36) for i in range(1, 44)]
    centers = generate_wide(boxes, center='box').levels[0].centers
    assert centers.tolist() == [[i, 4] for i in range(1, 44)]


def test_heatmap_has_the_precision_of_the_boxes():
    boxes = [(104, 16, 130, 60), (30, 16, 90, 47)]
    single = generate_wide(boxes).levels[0]
    double = generate_wide(boxes, dtype=torch.double).levels[0]
    assert single.heatmap.dtype == torch.float
    assert double.heatmap.dtype == torch.double
    assert torch.equal(double.centers, single.centers)
    torch.testing.assert_close(double.heatmap.float(), single.heatmap)


def test_masks_are_bilinear_quarters():
    thing = target((2, 2, 7, 8))
    mask = generate([thing]).masks[0]
    # A pixel is the mean of four: rows and columns 1, 2 of each block.
    assert mask[0, 0] == 0.25
    assert mask[1, 1] == 1
    assert mask[1, 0] == 0.5
    assert mask.sum() == 0.25 + 0.5 + 0.5 + 1


def test_regions_below_one_half_vanish():
    regions = torch.zeros(1, *SIZE)
    regions[0, :4] = 1
    found = generate([target()], regions.long())
    assert found.regions[0, 1, 0].eq(1).all()
    assert found.regions[0, 1].sum() == 32
    level = found.levels[0].regions[0]
    assert level[1, 0].eq(0.5).all()
    assert level[0, 0].eq(0.5).all()
    # A quarter of the pixels of the next level is too little.
    assert not found.levels[1].regions[0, 1].any()


def test_no_things_at_all():
    found = generate([target(), target()])
    assert found.masks.shape == (0, 16, 32)
    assert not any(level.heatmap.any() for level in found.levels)


@pytest.mark.parametrize(
    ('kind', 'regions', 'labels'),
    [
        ('stuff', [-2, -1, 0, 1, 253], [2, 3]),
        ('stuff_and_thing', [0, 0, 1, 2, 254], [-1, 2, 3]),
        ('all', [0, 1, 2, 3, 255], [-1, -1, 2, 3]),
    ],
)
def test_region_classes(kind, regions, labels):
    classes = RegionClasses(kind, num_things=2, num_stuff=2)
    given = torch.tensor([0, 1, 2, 3, 255], dtype=torch.uint8)
    assert classes.from_labels(given).tolist() == regions
    assert classes.labels().tolist() == labels
    assert len(classes) == len(labels)
    # Only real classes lie in range.
    assert all(r < 0 or r < len(labels) or r > 200 for r in regions)


def test_unknown_region_classes():
    with pytest.raises(ValueError, match='region_classes'):
        RegionClasses('things', 2, 2)


def odd_image():
    """A thing and a region at the far end of a 50 x 90 image."""
    image = (50, 90)
    thing = target((70, 30, 90, 50))
    regions = torch.full((1, *SIZE), -1)
    regions[:, :50, :90] = 0
    regions[:, 30:50, 70:90] = 2
    return thing, regions, image


def resized(masks, size, full):
    """What the published code does: resize the image's own, then pad."""
    out = torch.zeros(len(masks), *full)
    small = [int(side / 4 + 0.5) for side in size]
    out[:, : small[0], : small[1]] = torch.nn.functional.interpolate(
        masks[None, :, : size[0], : size[1]].float(), small, mode='bilinear'
    )[0]
    return out


def generate_odd(**options):
    thing, regions, image = odd_image()
    generator = PanopticFCNTargetGenerator(2, 3, SCALES, **options)
    none = target()
    found = generator.generate(
        [thing, none],
        regions.repeat(2, 1, 1),
        LEVELS,
        image_sizes=[image, SIZE],
    )
    return thing, regions, image, found


def test_masks_of_the_image_alone():
    thing, regions, image, found = generate_odd(unpadded_masks=True)
    full = (SIZE[0] // 4, SIZE[1] // 4)
    want = resized(thing.masks, image, full)
    torch.testing.assert_close(found.masks, want)
    one_hot = regions == torch.arange(3)[:, None, None]
    torch.testing.assert_close(found.regions[0], resized(one_hot, image, full))
    # 50 / 4 is rounded up to 13, 90 / 4 to 23.
    assert found.masks[0, :13, :23].any()
    assert not found.masks[0, 13:].any()
    assert not found.masks[0, :, 23:].any()


def test_masks_are_in_line_with_the_features_by_default():
    thing, _, _, found = generate_odd()
    rows, columns = (
        (found.masks[0] > 0).any(axis).nonzero()[:, 0] for axis in (1, 0)
    )
    # Pixels at stride 4 whose middle two rows or columns the thing touches.
    assert rows.tolist() == list(range(7, 13))
    assert columns.tolist() == list(range(17, 23))
    assert found.masks[0].sum() == thing.masks[0].sum() / 16


def test_both_are_the_same_for_multiples_of_four():
    found = []
    for unpadded_masks in (False, True):
        generator = PanopticFCNTargetGenerator(
            2, 3, SCALES, unpadded_masks=unpadded_masks
        )
        regions = torch.full((1, *SIZE), -1)
        regions[:, :52, :88] = 1
        boxes = (3, 5, 40, 52), (60, 10, 88, 31)
        found.append(
            generator.generate(
                [target(*boxes)], regions, LEVELS, image_sizes=[(52, 88)]
            )
        )
    torch.testing.assert_close(found[0].masks, found[1].masks)
    torch.testing.assert_close(found[0].regions, found[1].regions)
