"""Keeps from users what they can do nothing about."""

import builtins
import warnings
from typing import Any

from mmengine.logging import logger
from pycocotools import coco

_SAID = (
    # onedl's mmdet and mmseg print this at the import, as they cannot find a
    # package that nobody else has.
    'Could not import OneDL',
    # pycocotools, four lines for each annotation file.
    *('loading annotations into memory', 'Done (t=', 'DONE (t='),
    *('creating index', 'index created!', 'Loading and preparing results'),
)
_WARNED = ('faster_coco_eval is not installed', 'The draw is False')


def calm_imports() -> None:
    """Silences sentences that libraries have for every process."""
    for start in _WARNED:
        warnings.filterwarnings('ignore', message=start)
    # print_log prints, whatever its level, where it has no logger.
    for module in (logger, coco):
        module.print = _print  # type: ignore[attr-defined]


def _print(*words: Any, **kwargs: Any) -> None:
    if not (words and str(words[0]).startswith(_SAID)):
        builtins.print(*words, **kwargs)
