"""How often one predicted thing covers several things."""

import numpy as np
from mmengine.logging import MMLogger
from scipy.optimize import linear_sum_assignment

from mmseg_plugin.evaluation.coco_panoptic_metric import CocoPanopticMetric
from mmseg_plugin.evaluation.panoptic_images import labels_of, truth_overlaps
from mmseg_plugin.evaluation.panoptic_quality import (
    VOID,
    Segments,
    common_pixels,
)
from mmseg_plugin.registry import METRICS


@METRICS.register_module()
class ThingConfusionMetric(CocoPanopticMetric):
    """Confusion of things in panoptic results.

    A predicted thing covers a ground-truth thing, of whatever class, if it
    has at least ``min_share`` of its pixels; it is confused if it covers two
    or more. This is the failure that "Intra-Batch Supervision for Panoptic
    Segmentation on High-Resolution Images" (WACV 2023) is about. The paper
    also gives pixel accuracy and precision of things, whose published code
    is missing; here predicted things are assigned to things of their class,
    one to one, for the greatest number of common pixels, which are counted
    as right. Void and crowds do not count.

    Results, in percent but for the first two:

    - ``things``: number of predicted things;
    - ``covered``: mean number of things that a prediction covers, of those
      that cover any;
    - ``confused``: confused predictions among all predicted things;
    - ``pixel_acc``: right pixels among those of ground-truth things;
    - ``pixel_prec``: right pixels among those of predicted things.

    Args:
        min_share: in (0, 1].
        ann_file: see :class:`CocoPanopticMetric`.
        seg_prefix: see :class:`CocoPanopticMetric`.
        backend_args: see :func:`mmengine.fileio.get`.
        collect_device: see mmengine's ``BaseMetric``.
        prefix: see mmengine's ``BaseMetric``.

    Raises:
        ValueError: ``min_share`` is out of its range.
    """

    default_prefix = 'confusion'

    def __init__(
        self,
        min_share: float = 0.5,
        ann_file: str | None = None,
        seg_prefix: str | None = None,
        backend_args: dict | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ):
        super().__init__(
            ann_file=ann_file,
            seg_prefix=seg_prefix,
            backend_args=backend_args,
            collect_device=collect_device,
            prefix=prefix,
        )
        if not 0 < min_share <= 1:
            raise ValueError(f'min_share must be within 0 and 1: {min_share}')
        self.min_share = min_share

    def _match(self, sample: dict, ids: np.ndarray) -> np.ndarray:
        """Counts of one image, see :func:`confusion_counts`."""
        path, gt = self._ground_truth(sample)
        found = np.unique(ids[ids != VOID])
        labels = labels_of(found)
        is_thing = np.array([c['isthing'] == 1 for c in self._categories])
        pixels = common_pixels(
            truth_overlaps(path, self.backend_args, gt, ids), gt.ids, found
        )
        return confusion_counts(
            pixels, gt, Segments(found, labels), is_thing, self.min_share
        )

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Sums the images.

        Args:
            results: (counts, None, id) of each image.
        """
        self._check_images([image for *_, image in results])
        sums = np.sum([counts for counts, *_ in results], axis=0)
        things, covering, covered, confused, right, in_gt, in_pred = sums
        values = {
            'things': float(things),
            'covered': _ratio(covered, covering),
            'confused': 100 * _ratio(confused, things),
            'pixel_acc': 100 * _ratio(right, in_gt),
            'pixel_prec': 100 * _ratio(right, in_pred),
        }
        MMLogger.get_current_instance().info(
            'confusion of things: %s',
            ', '.join(f'{name} {value:.4g}' for name, value in values.items()),
        )
        return values


def _ratio(part: int, whole: int) -> float:
    return float(part / whole) if whole else float('nan')


def confusion_counts(
    pixels: np.ndarray,
    gt: Segments,
    pred: Segments,
    is_thing: np.ndarray,
    min_share: float,
) -> np.ndarray:
    """Counts of one image.

    Args:
        pixels: (G + 2, P + 1), common pixels, see :func:`common_pixels`.
        gt: G segments of the ground truth, ``crowd`` included.
        pred: P predicted segments.
        is_thing: bool (C,), classes that are things.
        min_share: share of a thing that a prediction needs to cover it.

    Returns:
        int64 (7,): predicted things, those that cover a thing, covered
        things summed over them, confused predictions; right pixels, pixels
        of ground-truth things, pixels of predicted things.
    """
    things = is_thing[gt.labels]
    if gt.crowd is not None:
        things &= ~gt.crowd
    predicted = np.flatnonzero(is_thing[pred.labels])
    inside = pixels[:-2][things]
    areas = inside.sum(1)
    inside = inside[:, predicted]
    covered = (inside >= min_share * areas[:, None]).sum(0)
    same = gt.labels[things][:, None] == pred.labels[predicted]
    right = np.where(same, inside, 0)
    rows, columns = linear_sum_assignment(right, maximize=True)
    ignored = pixels[-2, predicted].sum()
    if gt.crowd is not None:
        ignored += pixels[:-2][gt.crowd][:, predicted].sum()
    return np.array(
        [
            len(predicted),
            (covered > 0).sum(),
            covered.sum(),
            (covered > 1).sum(),
            right[rows, columns].sum(),
            areas.sum(),
            pixels[:, predicted].sum() - ignored,
        ]
    )
