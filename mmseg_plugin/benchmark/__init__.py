"""Measures models of the zoos of mmdet and mmseg beside the plugin's."""
