"""Pictures of predictions, queries and runs."""

from mmseg_plugin.visualization.pictures_hook import PicturesHook
from mmseg_plugin.visualization.segment_visualizer import SegmentVisualizer

__all__ = ['PicturesHook', 'SegmentVisualizer']
