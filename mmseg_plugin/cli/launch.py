"""Runs the installed mmdet's or mmseg's own train and test tools."""

from __future__ import annotations

import argparse
import ast
import os
import pickle
import runpy
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mmseg_plugin.cli.arguments import nearest
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.config_keys import check_keys
from mmseg_plugin.cli.configs import (
    read_model_config,
    wrong_types_as_sentence,
)
from mmseg_plugin.cli.preflight import check_classes, check_files
from mmseg_plugin.stack import (
    STACKS,
    active_stack,
    check_stack,
    fix,
    mim_folder,
    stack_problems,
)

if TYPE_CHECKING:
    from mmengine.config import Config

# What opening a file raises that is not there, or is none.
UNREADABLE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
# Options of mmdet's and mmseg's tools that take a value.
_WITH_VALUE = (
    *('--work-dir', '--out', '--show-dir', '--wait-time', '--launcher'),
    *('--local_rank', '--local-rank'),
)


def _own_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for option in _WITH_VALUE:
        parser.add_argument(option)
    parser.add_argument('--cfg-options', nargs='+')
    parser.add_argument('--resume', nargs='?')
    return parser


def check_config(config: Config) -> None:
    """Checks ``--cfg-options``, and data and model with them.

    Raises:
        UserError: a key is not known, or classes do not agree.
    """
    from mmengine.config import DictAction

    words = _own_parser().parse_known_args(sys.argv[1:])[0].cfg_options or []
    keys = [word.partition('=')[0] for word in words]
    options: dict = {}
    if all('=' in word for word in words):
        reader = argparse.ArgumentParser(prefix_chars='\0')
        reader.add_argument('options', nargs='*', action=DictAction)
        options = reader.parse_args(words).options or {}
    # What a key may be is said by the type that it will belong to.
    types = {k: v for k, v in options.items() if k.endswith('.type')}
    check_keys(config, types)
    if '--amp' in sys.argv and 'optim_wrapper' in config:
        types['optim_wrapper.type'] = 'AmpOptimWrapper'
    config.merge_from_dict(types)
    check_keys(config, keys)
    config.merge_from_dict(options)
    check_classes(config)


def preflight(config: Config, tool: str) -> None:
    """What is looked at before a tool builds anything.

    Args:
        config: as read from the file.
        tool: ``'train'`` or ``'test'``.

    Raises:
        UserError: see :func:`check_config` and :func:`check_files`; or a
            value is of another kind than its key wants.
    """
    with wrong_types_as_sentence(config.filename):
        check_config(config)
        if tool == 'train':
            check_files(config)


def _options_of(tool: Path) -> set[str]:
    calls = [
        node
        for node in ast.walk(ast.parse(tool.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, 'attr', '') == 'add_argument'
    ]
    words = [argument for call in calls for argument in call.args]
    return {'-h', '--help'} | {getattr(word, 'value', '') for word in words}


def started_by_torchrun() -> bool:
    """Whether this is one of several processes of ``torchrun``."""
    alone = os.environ.get('WORLD_SIZE', '1') == '1'
    return 'LOCAL_RANK' in os.environ and not alone


def check_train_options(more: set[str]) -> None:
    """Refuses options that neither mmdet's train tool has nor ours.

    Args:
        more: our own.

    Raises:
        UserError: naming the option and the nearest one.
    """
    check_stack()
    check_options(_installed_tool('mmdet', 'train.py'), more)


def check_options(tool: Path, more: Iterable[str] = ()) -> None:
    """Refuses options that a tool does not have.

    Args:
        tool: its file, which argparse reads the command line of.
        more: options that are read before it.

    Raises:
        UserError: naming the option and the nearest one.
    """
    known = _options_of(tool) | set(more)
    rest = _own_parser().parse_known_args(sys.argv[1:])[1]
    for word in rest:
        name = word.partition('=')[0]
        if word.startswith('--') and name not in known:
            raise UserError(f'there is no option {name}{nearest(name, known)}')


def positional_places() -> list[int]:
    """Where in ``sys.argv`` config and checkpoint are, flags left out."""
    parser = _own_parser()
    # Places instead of words, as a word may be there twice.
    words = [
        word if word.startswith('-') else str(place)
        for place, word in enumerate(sys.argv)
    ]
    rest = parser.parse_known_args(words[1:])[1]
    return [int(word) for word in rest if not word.startswith('-')]


def workers_of_cores() -> int:
    """Processes that load data, of each process that trains.

    Its share of the cores, within 1 and 8. Configs take it from the
    environment variable NUM_WORKERS; whoever sets that has the last word.
    """
    cores = len(os.sched_getaffinity(0))
    trainers = int(os.environ.get('LOCAL_WORLD_SIZE', '1'))
    return max(1, min(8, cores // trainers))


def work_dir_of(config: str) -> Path:
    """Where the command line, or else the config, puts the run.

    Args:
        config: path of the config, as the command line has it.
    """
    given = _own_parser().parse_known_args(sys.argv[1:])[0].work_dir
    own = given or read_model_config(config).get('work_dir')
    return Path(own or Path('work_dirs', Path(config).stem))


def run_installed_tool(
    tool: str, prepare: Callable[[], None] | None = None
) -> None:
    """Hands the command line over to ``tools/<tool>.py`` of mmdet or mmseg.

    The config may be the name of a shipped one; its ``default_scope`` says
    whose tool runs. Processes of ``torchrun`` are joined, on CPUs too.

    Args:
        tool: ``'train'`` or ``'test'``.
        prepare: is called before a tool of mmdet runs.

    Raises:
        UserError: no such config, or the framework or a file that it needs
            is missing.
    """
    check_stack()
    os.environ.setdefault('NUM_WORKERS', str(workers_of_cores()))
    launcher = any(w.partition('=')[0] == '--launcher' for w in sys.argv)
    if started_by_torchrun() and not launcher:
        sys.argv += ['--launcher', 'pytorch']
    scope, config = 'mmdet', None
    if places := positional_places():
        config = read_model_config(sys.argv[places[0]])
        sys.argv[places[0]] = config.filename
        scope = config.get('default_scope', scope)
    path = _installed_tool(scope, f'{tool}.py')
    check_options(path)
    if config is not None:
        preflight(config, tool)
    # The plugin's checkpoint loaders replace MMEngine's from the start.
    import mmseg_plugin.registry  # noqa: F401

    if prepare is not None and scope == 'mmdet':
        prepare()
    try:
        runpy.run_path(str(path), run_name='__main__')
    except UNREADABLE as error:
        raise UserError(missing_file(error)) from error
    except pickle.UnpicklingError as error:
        raise UserError(str(error)) from error


def missing_file(error: OSError) -> str:
    """A sentence about a file that could not be opened.

    Args:
        error: as Python raised it, or as torch passes it on from a worker
            process, as the text of all of it.
    """
    name = error.filename
    if name is None:
        last = str(error).strip().rpartition('\n')[2]
        if 'Errno' not in last:
            return last
        name = last.partition(': ')[2].rpartition(': ')[2].strip("'")
    what = 'cannot be found; start where it can be'
    if isinstance(error, IsADirectoryError):
        what = 'is a folder, not a file; correct the name'
    return f'{name} {what}, or name another file with --cfg-options'


def _installed_tool(scope: str, name: str) -> Path:
    if scope not in STACKS[active_stack()].packages:
        raise UserError(
            f"default_scope='{scope}' of the config is neither 'mmdet' nor "
            "'mmseg'"
        )
    problems = stack_problems((scope,))
    folder = mim_folder(scope)
    if not problems and not (folder and (folder / 'tools' / name).is_file()):
        problems = [f'{scope} is installed without its tools']
    if folder is None or problems:
        raise UserError(f'{problems[0]}; run: {fix(active_stack())}')
    return folder / 'tools' / name
