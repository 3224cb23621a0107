"""Runs tools in fresh processes that need not import anything again.

Importing torch and mmdet takes longer than most of what is tested. A server
that has done it is forked for each run; nothing of a test or of another run
is in it.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
from pathlib import Path

CONTEXT = multiprocessing.get_context('forkserver')
CONTEXT.set_forkserver_preload(
    ['mmdet.apis', 'mmengine.runner', 'mmseg_plugin.models', 'matplotlib']
)


def _run(
    arguments: list[str], cwd: Path, env: dict[str, str], out: Path, err: Path
) -> None:
    """What the fork does: as ``python -m mmseg_plugin`` in ``cwd``."""
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ['mmseg_plugin', *arguments]
    sys.path[0] = str(cwd)
    try:
        runpy.run_module('mmseg_plugin', run_name='__main__', alter_sys=True)
    finally:
        # multiprocessing leaves them out.
        atexit._run_exitfuncs()


def run_tool(
    arguments: list[str], cwd: Path, scratch: Path
) -> subprocess.CompletedProcess[str]:
    """``python -m mmseg_plugin`` with these arguments.

    Args:
        arguments: of the command line.
        cwd: folder to run in.
        scratch: gets what is printed.
    """
    scratch.mkdir(exist_ok=True)
    printed = scratch / 'out', scratch / 'err'
    process = CONTEXT.Process(
        target=_run, args=(arguments, cwd, dict(os.environ), *printed)
    )
    process.start()
    process.join()
    texts = [path.read_text() for path in printed]
    return subprocess.CompletedProcess(arguments, process.exitcode, *texts)
