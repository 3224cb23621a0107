from mmseg_plugin.datasets.transforms.load_panoptic import (
    LoadPanopticAnnotations,
)
from mmseg_plugin.datasets.transforms.load_semantic import (
    LoadSemanticAnnotations,
)
from mmseg_plugin.datasets.transforms.noisy_masks import NoisyMasks
from mmseg_plugin.datasets.transforms.object_crop import (
    CropAroundObject,
    ResizeToObject,
)
from mmseg_plugin.datasets.transforms.shared_offset_crop import (
    SharedOffsetCrop,
)

__all__ = [
    'CropAroundObject',
    'ResizeToObject',
    'LoadPanopticAnnotations',
    'LoadSemanticAnnotations',
    'NoisyMasks',
    'SharedOffsetCrop',
]
