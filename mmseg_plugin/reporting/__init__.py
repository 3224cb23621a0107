"""Reports of runs as one HTML file; one section a file."""

from mmseg_plugin.reporting.build import build_report

__all__ = ['build_report']
