# First: it keeps what follows from printing.
import mmseg_plugin.registry  # noqa: F401
from mmseg_plugin.evaluation.coco_instance_metric import CocoInstanceMetric
from mmseg_plugin.evaluation.coco_panoptic_metric import CocoPanopticMetric
from mmseg_plugin.evaluation.panoptic_quality import (
    Segments,
    common_pixels,
    overlaps,
    panoptic_quality,
    per_class_quality,
    segment_counts,
)
from mmseg_plugin.evaluation.thing_confusion_metric import ThingConfusionMetric

__all__ = [
    'CocoInstanceMetric',
    'CocoPanopticMetric',
    'Segments',
    'ThingConfusionMetric',
    'common_pixels',
    'overlaps',
    'panoptic_quality',
    'per_class_quality',
    'segment_counts',
]
