"""Keeps from users what they can do nothing about."""

import builtins
import warnings
from typing import Any

from mmengine.logging import logger

# onedl's mmdet and mmseg print this at the import, as they cannot find a
# package that nobody else has.
_SAID = 'Could not import OneDL'
_WARNED = ('faster_coco_eval is not installed', 'The draw is False')


def calm_imports() -> None:
    """Silences sentences that mmdet has for every process."""
    for start in _WARNED:
        warnings.filterwarnings('ignore', message=start)
    # print_log prints, whatever its level, where it has no logger.
    logger.print = _print  # type: ignore[attr-defined]


def _print(*words: Any, **kwargs: Any) -> None:
    if not (words and str(words[0]).startswith(_SAID)):
        builtins.print(*words, **kwargs)
