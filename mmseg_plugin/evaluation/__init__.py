from mmseg_plugin.evaluation.coco_panoptic_metric import CocoPanopticMetric
from mmseg_plugin.evaluation.panoptic_quality import (
    Segments,
    overlaps,
    panoptic_quality,
    per_class_quality,
    segment_counts,
)

__all__ = [
    'CocoPanopticMetric',
    'Segments',
    'overlaps',
    'panoptic_quality',
    'per_class_quality',
    'segment_counts',
]
