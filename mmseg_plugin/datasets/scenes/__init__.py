"""Synthetic scenes: the data set that comes with the plugin."""

from .categories import STUFF, THINGS, UNLABELLED, coco_categories
from .layout import MAX_INSTANCES, Layout, SceneOptions, Thing
from .writing import make_scene, write_scenes

__all__ = [
    'MAX_INSTANCES',
    'STUFF',
    'THINGS',
    'UNLABELLED',
    'Layout',
    'SceneOptions',
    'Thing',
    'coco_categories',
    'make_scene',
    'write_scenes',
]
