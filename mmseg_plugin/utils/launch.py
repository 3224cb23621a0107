"""Runs the installed mmdet's or mmseg's own train and test tools."""

import pickle
import runpy
import sys
from pathlib import Path

from mmseg_plugin.utils.cli import UserError
from mmseg_plugin.utils.configs import find_config, read_config
from mmseg_plugin.utils.stack import (
    STACKS,
    active_stack,
    check_stack,
    mend,
    mim_folder,
    stack_problems,
)


def run_installed_tool(tool: str) -> None:
    """Hands the command line over to ``tools/<tool>.py`` of mmdet or mmseg.

    The config (first argument) may be the name of a shipped one; its
    ``default_scope`` says whose tool runs.

    Args:
        tool: ``'train'`` or ``'test'``.

    Raises:
        UserError: no such config, or the framework or a file that it needs
            is missing.
    """
    check_stack()
    scope = 'mmdet'
    # Their options take values: the config is the first argument or none is.
    if len(sys.argv) > 1 and not sys.argv[1].startswith('-'):
        config = find_config(sys.argv[1])
        sys.argv[1] = str(config)
        settings = read_config(config)
        if 'model' not in settings:
            raise UserError(f'config {config} has no model; is it a base?')
        scope = settings.get('default_scope', scope)
    path = _framework_folder(scope) / 'tools' / f'{tool}.py'
    # The plugin's checkpoint loaders replace MMEngine's from the start.
    import mmseg_plugin.registry  # noqa: F401

    try:
        runpy.run_path(str(path), run_name='__main__')
    except FileNotFoundError as error:
        if error.filename is None:
            raise UserError(str(error)) from error
        raise UserError(
            f'{error.filename} cannot be found; start where it can be, or '
            'name another file with --cfg-options'
        ) from error
    except pickle.UnpicklingError as error:
        raise UserError(str(error)) from error


def _framework_folder(scope: str) -> Path:
    if scope not in STACKS[active_stack()].packages:
        raise UserError(
            f"default_scope='{scope}' of the config is neither 'mmdet' nor "
            "'mmseg'"
        )
    problems = stack_problems((scope,))
    folder = mim_folder(scope)
    if problems or folder is None:
        raise UserError(f'{problems[0]}; run: {mend(active_stack())}')
    return folder
