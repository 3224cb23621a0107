"""Pictures of predictions, queries and runs."""

from mmseg_plugin.visualization.segment_visualizer import SegmentVisualizer

__all__ = ['SegmentVisualizer']
