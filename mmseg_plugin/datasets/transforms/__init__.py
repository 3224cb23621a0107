from mmseg_plugin.datasets.transforms.noisy_masks import NoisyMasks

__all__ = ['NoisyMasks']
