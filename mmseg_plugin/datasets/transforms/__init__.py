from mmseg_plugin.datasets.transforms.large_scale_jitter import (
    LargeScaleJitter,
)
from mmseg_plugin.datasets.transforms.load_deferred import (
    LoadDeferredAnnotations,
)
from mmseg_plugin.datasets.transforms.load_deferred_panoptic import (
    LoadDeferredPanoptic,
)
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
from mmseg_plugin.datasets.transforms.pack_mask_inputs import PackMaskInputs

__all__ = [
    'CropAroundObject',
    'ResizeToObject',
    'LargeScaleJitter',
    'LoadDeferredAnnotations',
    'LoadDeferredPanoptic',
    'LoadPanopticAnnotations',
    'LoadSemanticAnnotations',
    'NoisyMasks',
    'PackMaskInputs',
]
