"""Checkpoints are data: MMEngine's loaders, without running code from files.

MMEngine 0.10.7 calls ``torch.load`` bare, which refuses its own training
checkpoints since torch 2.6; onedl-mmengine falls back to unrestricted
unpickling. Both are replaced by ``weights_only=True`` with a closed list.
"""

import pickle
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import mmengine.runner.checkpoint as mmengine_checkpoint
import numpy as np
import torch
from mmengine.dist import barrier, get_dist_info
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from torch.hub import HASH_REGEX

# The functions that MMEngine's runner pickles by class and name. The class of
# the second is never handed out: its own name stands for it.
_ONE_CYCLE = f'{OneCycleParamScheduler.__module__}.OneCycleParamScheduler'
_FUNCTIONS = {
    (owner, name): getattr(source, name)
    for owner, source, names in (
        (
            HistoryBuffer,
            HistoryBuffer,
            ('min', 'max', 'mean', 'current'),
        ),
        (
            _ONE_CYCLE,
            OneCycleParamScheduler,
            ('_annealing_cos', '_annealing_linear'),
        ),
    )
    for name in names
}
# How a pointer of Git LFS begins.
_POINTER = b'version https://git-lfs'
# How torch and the loaders here name what is no data.
_REFUSED = re.compile(r'GLOBAL ([\w.]+)|(getattr\(.*\)) is not allowed')


def _listed_function(owner: Any, name: str) -> Any:
    """Stands in for ``getattr``, by which pickles name these functions."""
    try:
        return _FUNCTIONS[owner, name]
    except (KeyError, TypeError):
        raise pickle.UnpicklingError(
            f'getattr({owner!r}, {name!r}) is not allowed'
        ) from None


def _safe_globals() -> list:
    """What MMEngine writes into a checkpoint beside tensors."""
    scalar = np.float64(0).__reduce__()[0]
    rebuild = np.zeros(()).__reduce__()[0]
    allowed: list = [
        HistoryBuffer,
        (_listed_function, 'builtins.getattr'),
        (_ONE_CYCLE, _ONE_CYCLE),
        np.ndarray,
        np.dtype,
        *{type(np.dtype(code)) for code in '?bBhHiIlLqQefdUS'},
    ]
    # numpy 2 calls its core `_core`; files written by numpy 1 say `core`.
    for core in ('core', '_core'):
        allowed += [
            (scalar, f'numpy.{core}.multiarray.scalar'),
            (rebuild, f'numpy.{core}.multiarray._reconstruct'),
        ]
    return allowed


def kept_classes(checkpoint: Any) -> tuple[str, ...] | None:
    """Names of the classes that a checkpoint was trained on.

    Args:
        checkpoint: as it was loaded; of this or another project.

    Returns:
        In the order of the labels; None if it names none.
    """

    def part(content: Any, key: str) -> dict:
        found = content.get(key) if isinstance(content, dict) else None
        return found if isinstance(found, dict) else {}

    meta = part(checkpoint, 'meta')
    meta = part(meta, 'dataset_meta') or meta
    # Before mmengine, and in early files of its time, in capitals.
    classes = meta.get('classes', meta.get('CLASSES'))
    if not isinstance(classes, list | tuple) or not classes:
        return None
    return tuple(map(str, classes))


def check_pointer(path: Path) -> None:
    """Refuses what stands for a file in a clone without Git LFS.

    Raises:
        ValueError: it is such a pointer.
    """
    with path.open('rb') as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise ValueError(
                f'{path} is a pointer of Git LFS, not the file itself: fetch '
                'it with git lfs pull, or download it from its page'
            )


def unreadable(path: Path, error: Exception) -> pickle.UnpicklingError:
    """The error to raise for a checkpoint that could not be read.

    torch's own text recommends to load the file unsafely.

    Args:
        path: the file.
        error: what reading it raised.
    """
    found = _REFUSED.search(str(error))
    try:
        check_pointer(path)
    except ValueError as pointer:
        return pickle.UnpicklingError(str(pointer))
    if found:
        return pickle.UnpicklingError(
            f'checkpoint {path} was refused, since it holds '
            f'{found[1] or found[2]} beside weights and training state; '
            'save it again with plain tensors and containers only'
        )
    reason = re.split(r'\. |\n', str(error))[0]
    if isinstance(error, pickle.UnpicklingError):
        reason = 'no pickle of data'
    return pickle.UnpicklingError(
        f'checkpoint {path} cannot be read ({type(error).__name__}: {reason});'
        ' it may be damaged, or no checkpoint at all'
    )


def load_file(filename: str | Path, map_location: Any = None) -> Any:
    """Reads a checkpoint file as data.

    Args:
        filename: local path; ``~`` is expanded.
        map_location: as for :func:`torch.load`.

    Raises:
        FileNotFoundError: there is no such file.
        pickle.UnpicklingError: the file is damaged, or it holds more than
            tensors, plain containers and what MMEngine's runner writes;
            nothing of it was executed.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'checkpoint {path} cannot be found')
    try:
        with torch.serialization.safe_globals(_safe_globals()):
            return torch.load(
                path, map_location=map_location, weights_only=True
            )
    except OSError:
        raise
    except Exception as error:
        # Bytes that mean something else can fail in any way.
        raise unreadable(path, error) from None


def load_from_local(filename: str, map_location: Any = None) -> Any:
    """:func:`load_file`, by the name that MMEngine logs the end of."""
    return load_file(filename, map_location)


def load_from_http(
    filename: str,
    map_location: Any = None,
    model_dir: str | None = None,
    progress: bool = True,
) -> Any:
    """Downloads where the file is missing, keeps it, reads it as data.

    The first process downloads before the others look: they find the file,
    unless they run on another machine with a disk of its own.

    Args:
        filename: URL of the checkpoint.
        map_location: as for :func:`torch.load`.
        model_dir: folder to keep it in; torch hub's when None.
        progress: shows a progress bar.
    """
    folder = Path(model_dir or Path(torch.hub.get_dir()) / 'checkpoints')
    path = folder / Path(urlsplit(filename).path).name
    is_first = get_dist_info()[0] == 0
    if is_first:
        _download(filename, path, progress)
    barrier()
    if not is_first:
        _download(filename, path, progress)
    return load_file(path, map_location)


def _download(url: str, path: Path, progress: bool) -> None:
    """Downloads a file that is missing; it appears whole or not at all."""
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # The hash that torch's own files carry in their name is verified.
    named_hash = HASH_REGEX.search(path.name)
    torch.hub.download_url_to_file(
        url, str(path), named_hash.group(1) if named_hash else None, progress
    )


def register_safe_loaders() -> None:
    """Puts the safe loaders into MMEngine's place, for every caller."""
    loader = mmengine_checkpoint.CheckpointLoader
    loader.register_scheme('', load_from_local, force=True)
    loader.register_scheme(('http://', 'https://'), load_from_http, force=True)
    # `torchvision://` and `open-mmlab://` end in this function.
    mmengine_checkpoint.load_from_http = load_from_http
    mmengine_checkpoint.load_from_local = load_from_local
