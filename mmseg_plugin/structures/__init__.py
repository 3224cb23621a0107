from mmseg_plugin.structures.boxes import (
    boxes_of,
    generalized_iou,
    normalized_boxes,
)
from mmseg_plugin.structures.mask_logits import MaskLogits
from mmseg_plugin.structures.matches import Matches
from mmseg_plugin.structures.predictions import QueryPredictions
from mmseg_plugin.structures.sampling import (
    sample_features,
    sample_maps,
    sample_masks,
)
from mmseg_plugin.structures.targets import (
    Targets,
    add_stuff,
    check_labels,
    image_names,
)

__all__ = [
    'MaskLogits',
    'Matches',
    'QueryPredictions',
    'Targets',
    'add_stuff',
    'boxes_of',
    'check_labels',
    'generalized_iou',
    'image_names',
    'normalized_boxes',
    'sample_features',
    'sample_maps',
    'sample_masks',
]
