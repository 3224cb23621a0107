"""mmcv's Python code on operators of our choice."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Imports all modules that call operators.
importlib.import_module('mmcv.ops')
compiled = importlib.import_module('mmcv._ext')
# Without compiled operators there is nothing to compare with.
COMPARABLE = not hasattr(compiled, 'PLAIN')


@contextmanager
def operators(found: object) -> Iterator[None]:
    """Puts operators in the place of those that mmcv has.

    Args:
        found: module of operators.
    """
    parts = [
        part
        for name, part in list(sys.modules.items())
        if name.startswith('mmcv.ops.') and hasattr(part, 'ext_module')
    ]
    before = [part.ext_module for part in parts]
    try:
        for part in parts:
            part.ext_module = found  # type: ignore[attr-defined]
        yield
    finally:
        for part, old in zip(parts, before, strict=True):
            part.ext_module = old  # type: ignore[attr-defined]
