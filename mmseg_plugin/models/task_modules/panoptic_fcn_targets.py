"""What Panoptic FCN learns at every level of its pyramid."""

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from mmseg_plugin.registry import TASK_UTILS
from mmseg_plugin.structures import Targets, check_labels
from mmseg_plugin.utils.host import to_device, to_host

STRIDE = 4
# Parts of a pixel at stride 4 that places of boxes are rounded to.
PARTS = 1024


class LevelTargets(NamedTuple):
    """Targets of one level with maps of h x w.

    Attributes:
        heatmap: (B, Nt, h, w), how near a thing's centre is, in [0, 1].
        centers: int64 (P, 2), (x, y) of each thing of the level.
        radii: int64 (P,), reach of each thing in the heatmap.
        regions: (B, R, h, w), how much of a pixel a region class covers;
            zero where it is less than half.
        thing: int64 (P,), number of each thing in the batch.
    """

    heatmap: Tensor
    centers: Tensor
    radii: Tensor
    regions: Tensor
    thing: Tensor


class PanopticFCNTargets(NamedTuple):
    """Targets of a batch, with masks at stride 4.

    Attributes:
        levels: from high to low resolution.
        image: int64 (G,), image of each thing of the batch.
        labels: int64 (G,), class of each thing.
        masks: (G, H/4, W/4) in [0, 1], of each thing.
        regions: (B, R, H/4, W/4) in [0, 1].
        pair_image: int64 (P,), image of each (thing, level) pair, by number
            of the thing, then by level; on the CPU.
        pair_labels: int64 (P,), class of each pair; on the CPU.
        shown: bool (B, R, L), the regions that each level shows; on the CPU.
    """

    levels: list[LevelTargets]
    image: Tensor
    labels: Tensor
    masks: Tensor
    regions: Tensor
    pair_image: Tensor
    pair_labels: Tensor
    shown: Tensor


@TASK_UTILS.register_module()
class PanopticFCNTargetGenerator:
    """Draws heatmaps and region maps of every level.

    Source: "Fully Convolutional Networks for Panoptic Segmentation" (arXiv
    2012.00720), section 3.2, and PanopticFCN f4141c3, gt_generate.py.

    Args:
        num_things: thing classes, Nt.
        num_regions: region classes, R.
        instance_scales: lowest and highest square root of the box area, in
            pixels of the input, of each level's things. Ranges overlap: a
            thing may belong to several levels.
        center: 'mass', mean place of the mask's pixels, or 'box'.
        min_overlap: IoU with the box that a box moved by the radius still
            has.
        radius_per_sigma: diameter of a drawn centre in standard deviations.
        unpadded_masks: resize masks and regions of the image alone, to a
            quarter of its sides, rounded, as published; else those of the
            padded image, to exactly a quarter, in line with the features.
            The same where an image's sides are multiples of 4; else the
            published ones lie up to two pixels of the input off at the
            image's far end.

    Raises:
        ValueError: unknown ``center``.
    """

    def __init__(
        self,
        num_things: int,
        num_regions: int,
        instance_scales: Sequence[tuple[float, float]] = (
            (1, 64),
            (32, 128),
            (64, 256),
            (128, 512),
            (256, 2048),
        ),
        center: str = 'mass',
        min_overlap: float = 0.7,
        radius_per_sigma: float = 3.0,
        unpadded_masks: bool = False,
    ) -> None:
        if center not in ('mass', 'box'):
            raise ValueError(f"center is 'mass' or 'box', not {center!r}")
        self.num_things = num_things
        self.num_regions = num_regions
        self.instance_scales = instance_scales
        self.center = center
        self.min_overlap = min_overlap
        self.radius_per_sigma = radius_per_sigma
        self.unpadded_masks = unpadded_masks

    @torch.no_grad()
    def generate(
        self,
        targets: list[Targets],
        regions: Tensor,
        level_sizes: Sequence[tuple[int, int]],
        image_ids: list | None = None,
        image_sizes: Sequence[tuple[int, int]] | None = None,
    ) -> PanopticFCNTargets:
        """Targets of a batch.

        Which things and regions the levels show reaches the host in one
        copy.

        Args:
            targets: things of each image, boxes relative to the padded size.
            regions: int (B, H, W) of the padded size; region class of each
                pixel, none if it is not in [0, R).
            level_sizes: height and width of each level's maps.
            image_ids: names of the images in errors.
            image_sizes: height and width of each image without padding, read
                for ``unpadded_masks``; the padded ones if None.

        Raises:
            ValueError: a label is no thing.
        """
        masks, quarters = self._quarters(targets, regions, image_sizes)
        things = self._things(targets, masks)
        scale = things.extent.prod(1).sqrt() * STRIDE
        is_here = torch.stack(
            [(scale >= a) & (scale <= b) for a, b in self.instance_scales]
        )
        maps = [_at_least_half(quarters, size) for size in level_sizes]
        shown = torch.stack([(m > 0).any(3).any(2) for m in maps], 2)
        is_here, labels, shown = _on_host(is_here, things.label, shown)
        counts = torch.tensor([len(target.labels) for target in targets])
        image = torch.arange(len(targets)).repeat_interleave(counts)
        check_labels(
            *(labels, image, self.num_things, image_ids), 'thing classes'
        )
        levels = [
            self._level(
                *(things, to_device(chosen.nonzero()[:, 0], regions.device)),
                *(region_maps, masks.shape[-2:]),
            )
            for region_maps, chosen in zip(maps, is_here, strict=True)
        ]
        pairs = is_here.sum(0)
        return PanopticFCNTargets(
            levels,
            things.image,
            things.label,
            masks,
            quarters,
            image.repeat_interleave(pairs),
            labels.repeat_interleave(pairs),
            shown.bool(),
        )

    def _level(
        self,
        things: '_Things',
        here: Tensor,
        regions: Tensor,
        quarter: Sequence[int],
    ) -> LevelTargets:
        """Targets of one level.

        Args:
            things: of the batch.
            here: int64 (P,), numbers of those of the level.
            regions: (B, R, h, w), see :class:`LevelTargets`.
            quarter: height and width at stride 4.
        """
        found = _Things(*(values[here] for values in things))
        size = (regions.shape[2], regions.shape[3])
        heatmap = self._heatmap(found, len(regions), quarter, size)
        return LevelTargets(*heatmap, regions, here)

    def _quarters(
        self,
        targets: list[Targets],
        regions: Tensor,
        image_sizes: Sequence[tuple[int, int]] | None,
    ) -> tuple[Tensor, Tensor]:
        """Masks (G, H/4, W/4) and region maps (B, R, H/4, W/4)."""
        classes = torch.arange(self.num_regions, device=regions.device)
        classes = classes[:, None, None]
        if not self.unpadded_masks or image_sizes is None:
            return (
                torch.cat([_quarter(target.masks) for target in targets]),
                _quarter(regions[:, None], classes),
            )
        masks, maps = [], []
        for target, region, size in zip(
            targets, regions, image_sizes, strict=True
        ):
            masks.append(_quarter_of_image(target.masks == 1, size))
            maps.append(_quarter_of_image(region == classes, size))
        return torch.cat(masks), torch.stack(maps)

    def _things(self, targets: list[Targets], masks: Tensor) -> '_Things':
        """The things of all images, whose masks at stride 4 are given."""
        labels = torch.cat([target.labels for target in targets])
        image = [
            torch.full_like(target.labels, i)
            for i, target in enumerate(targets)
        ]
        boxes = torch.cat([cast(Tensor, target.boxes) for target in targets])
        center, extent = _in_pixels(boxes, masks.shape[-2:]).split(2, 1)
        if self.center == 'mass':
            # As published, a mask that vanished at stride 4 is at 0.
            center = mass_centers(masks, boxes.dtype).nan_to_num(0)
        return _Things(torch.cat(image), labels, center, extent)

    def _heatmap(
        self,
        things: '_Things',
        batch_size: int,
        quarter: Sequence[int],
        size: tuple[int, int],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Heatmap, centres and radii of the things of one level.

        Args:
            things: of the level.
            batch_size: number of images.
            quarter: height and width at stride 4.
            size: height and width of the level.
        """
        height, width = size
        ratio = torch.tensor(
            [width / quarter[1], height / quarter[0]],
            dtype=things.extent.dtype,
        )
        ratio = to_device(ratio, things.extent.device)
        centers = (things.center * ratio).long()
        radii = self._radii(things.extent * ratio)
        heatmap = things.extent.new_zeros(
            batch_size * self.num_things, height * width
        )
        plane = things.image * self.num_things + things.label
        drawn = self._draw(centers, radii, size)
        drawn = drawn.flatten(1).to(heatmap.dtype)
        heatmap.scatter_reduce_(
            0, plane[:, None].expand_as(drawn), drawn, 'amax'
        )
        heatmap = heatmap.view(batch_size, self.num_things, height, width)
        return heatmap, centers, radii

    def _radii(self, extents: Tensor) -> Tensor:
        """Radius (P,) of boxes of width and height (P, 2).

        CornerNet's first formula for it, which divides each root by two
        instead of twice the leading coefficient; mmdet's helper is the
        corrected one.
        """
        total, area = extents.sum(1), extents.prod(1)
        overlap = self.min_overlap
        roots = []
        for a, b, c in (
            (1, total, area * (1 - overlap) / (1 + overlap)),
            (4, 2 * total, (1 - overlap) * area),
            (4 * overlap, -2 * overlap * total, (overlap - 1) * area),
        ):
            roots.append((b + (b**2 - 4 * a * c).sqrt()) / 2)
        return torch.stack(roots).amin(0).clamp(min=0).long()

    def _draw(
        self, centers: Tensor, radii: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """One Gaussian for each centre, cut at the radius: (P, h, w)."""
        # float64: the published heatmap comes from NumPy.
        sigma = (2 * radii + 1).double() / self.radius_per_sigma
        rows, columns = (
            torch.arange(length, device=centers.device) - center[:, None]
            for length, center in zip(size, centers.T.flip(0), strict=True)
        )
        squared = rows[:, :, None] ** 2 + columns[:, None] ** 2
        drawn = (-squared / (2 * sigma**2)[:, None, None]).exp()
        reach = torch.maximum(rows.abs()[:, :, None], columns.abs()[:, None])
        return drawn * (reach <= radii[:, None, None])


class _Things(NamedTuple):
    """Things of a batch, one row each; places in pixels at stride 4."""

    image: Tensor
    label: Tensor
    center: Tensor
    extent: Tensor


def _on_host(*tensors: Tensor) -> list[Tensor]:
    """Integers of any shapes, int64, in one copy."""
    flat = torch.cat([tensor.long().flatten() for tensor in tensors])
    parts = to_host(flat, 'targets').split([t.numel() for t in tensors])
    return [
        part.view_as(tensor)
        for part, tensor in zip(parts, tensors, strict=True)
    ]


def mass_centers(masks: Tensor, dtype: torch.dtype) -> Tensor:
    """Mean (x, y) of the pixels that masks touch, NaN where there is none.

    Args:
        masks: (G, h, w).
        dtype: of the result, (G, 2).
    """
    inside = masks > 0
    place = []
    for pixels in (inside.sum(1), inside.sum(2)):
        index = torch.arange(pixels.shape[1], device=masks.device)
        total = (pixels * index).sum(1).to(dtype)
        place.append(total / pixels.sum(1))
    return torch.stack(place, 1)


def _in_pixels(boxes: Tensor, size: Sequence[int]) -> Tensor:
    """Relative boxes (G, 4) in the pixels of a map's height and width.

    Rounded to small parts of a pixel, as a box of whole pixels has to be one
    again: its centre may lie on the border of two cells, its size on that of
    two levels.
    """
    height, width = size
    unit = torch.tensor([width, height] * 2) * PARTS
    return (boxes * to_device(unit, boxes.device)).round() / PARTS


def _quarter(values: Tensor, equal: Tensor | int = 1) -> Tensor:
    """Bilinear resize of ``values == equal`` to a quarter, from four taps.

    Args:
        values: (..., H, W), integers or bool; sizes are multiples of 4.
        equal: broadcast over ``values``.

    Returns:
        (..., H / 4, W / 4), multiples of 1/4.
    """
    hits = (
        (values[..., row::STRIDE, column::STRIDE] == equal).float()
        for row in (1, 2)
        for column in (1, 2)
    )
    return reduce(torch.add, hits) / 4


def _quarter_of_image(hits: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resize of an image without its padding, padded afterwards.

    Args:
        hits: bool (N, H, W).
        size: height and width of the image, its top left part.

    Returns:
        (N, H / 4, W / 4).
    """
    height, width = size
    small = [(side + STRIDE // 2) // STRIDE for side in size]
    full = [side // STRIDE for side in hits.shape[-2:]]
    if not len(hits):
        return torch.zeros(0, *full, device=hits.device)
    maps = F.interpolate(
        hits[None, :, :height, :width].float(),
        small,
        mode='bilinear',
        align_corners=False,
    )[0]
    return F.pad(maps, (0, full[1] - small[1], 0, full[0] - small[0]))


def _at_least_half(quarters: Tensor, size: tuple[int, int]) -> Tensor:
    """Region maps at a level's size, zero where less than half covered."""
    maps = F.interpolate(quarters, size, mode='bilinear', align_corners=False)
    return maps * (maps >= 0.5)
