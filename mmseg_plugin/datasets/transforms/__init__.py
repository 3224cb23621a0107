from mmseg_plugin.datasets.transforms.load_panoptic import (
    LoadPanopticAnnotations,
)
from mmseg_plugin.datasets.transforms.noisy_masks import NoisyMasks

__all__ = ['LoadPanopticAnnotations', 'NoisyMasks']
