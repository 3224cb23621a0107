"""Leaves out imports that take a sixth of the start and that few need."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any

# Modules of mmdet, and what they call functions of once they are used: for
# lanes, which onedl's has, and for corrupted images. numba comes with them.
_DEFERRED = {
    'mmdet.datasets.transforms.generate_line': (
        *('imgaug', 'imgaug.augmenters', 'imgaug.augmentables'),
        *('imgaug.augmentables.lines', 'imgaug.augmentables.segmaps'),
        'scipy.interpolate',
    ),
    'mmdet.datasets.transforms.transforms': ('imagecorruptions',),
    'mmdet.evaluation.metrics.culane_metric': ('scipy.interpolate',),
    'mmdet.models.dense_heads.clr_head.lane': ('scipy.interpolate',),
}


class _StandIn(ModuleType):
    """In place of a module that is imported once a function is called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            function = getattr(import_module(self.__name__), name)
            return function(*args, **kwargs)

        return call


class _Deferring(Loader):
    """Executes a module with stand-ins in place of what it imports."""

    def __init__(self, loader: Loader, names: Sequence[str]) -> None:
        self.loader = loader
        self.names = names

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        absent = [
            name
            for name in self.names
            if name not in sys.modules and find_spec(name.partition('.')[0])
        ]
        for name in absent:
            sys.modules[name] = _StandIn(name)
            parent, _, child = name.rpartition('.')
            if parent in absent:
                setattr(sys.modules[parent], child, sys.modules[name])
        try:
            self.loader.exec_module(module)
        finally:
            for name in absent:
                del sys.modules[name]


class _Finder:
    """Finds the modules that use others, and nothing else."""

    @staticmethod
    def find_spec(
        name: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if name not in _DEFERRED:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Deferring(spec.loader, _DEFERRED[name])
        return spec


def defer_imports() -> None:
    """Lets some modules of mmdet import others when they use them.

    Whoever else imports those gets them at once.
    """
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
