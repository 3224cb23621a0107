"""Makes mmcv's operators work: the plain ones, or compiled with --compile.

Plain ones need no compiler and are there after pip; this repairs what pip
could not do. Compiled ones may be faster on a GPU. Needs nothing but the
standard library and torch. A compiled wheel is kept in
``${XDG_CACHE_HOME:-~/.cache}/mmseg_plugin/wheels``, by python, torch, device,
mmcv version and compiler flags.
"""

import argparse
import os
import shutil
import site
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from mmseg_plugin.cli.cli import UserError, run
from mmseg_plugin.cli.compile_ops import (
    find_or_build,
    wheel_folder,
)
from mmseg_plugin.cli.pip import run_pip
from mmseg_plugin.ops.finder import COMPILE, PTH_LINE, PTH_NAME
from mmseg_plugin.stack import (
    STACKS,
    Stack,
    active_stack,
    installed_version,
)

# Says which operators Python finds, in a process of its own.
LOOK = (
    'import mmcv._ext as found; '
    'print("plain" if hasattr(found, "PLAIN") else "compiled")'
)


def ops_state() -> str:
    """``'compiled'`` or ``'plain'``, or why neither can be imported."""
    done = subprocess.run(
        [sys.executable, '-c', LOOK], capture_output=True, text=True
    )
    if done.returncode == 0:
        return done.stdout.split()[-1]
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else 'Python ended without a word'


def install_compiled(stack: Stack) -> None:
    """Installs mmcv with compiled operators, compiled now or kept."""
    requirement = stack.mmcv
    name, version = requirement.split('==')
    plain, _, _ = stack.plain_mmcv.partition('==')
    # Both are the folder mmcv, and removing one would break the other.
    doubled = plain != name and installed_version(plain) is not None
    if (
        installed_version(name) == version
        and not doubled
        and ops_state() == 'compiled'
    ):
        print(f'{requirement} is installed with compiled operators')
        return
    folder = wheel_folder(name, version)
    wheel = find_or_build(requirement, folder)
    if doubled:
        run_pip(f'removing {plain}', 'uninstall', '--yes', plain)
    run_pip(
        f'installing {wheel.name}',
        *('install', '--quiet', '--no-deps', '--force-reinstall', str(wheel)),
    )
    if ops_state() != 'compiled':
        shutil.rmtree(folder)
        raise UserError(
            f'the ops of {wheel.name} cannot be loaded here, so the kept '
            'wheel was removed; run the same command again to compile them'
        )
    print(f'installed {requirement} with compiled operators, from {wheel}')


def install_plain(stack: Stack) -> None:
    """Sees to it that mmcv imports, with whatever operators it has.

    Raises:
        UserError: no network, or Python reads no .pth file there.
    """
    name, _, _ = stack.mmcv.partition('==')
    plain, _, _ = stack.plain_mmcv.partition('==')
    there = [x for x in {name, plain} if installed_version(x)]
    state = ops_state()
    if state not in ('compiled', 'plain') and 'No module named' not in state:
        # Compiled for another torch, most likely.
        print(f"mmcv's compiled operators do not load: {state}")
        run_pip(f'removing {name}', 'uninstall', '--yes', *there)
        there = []
    if not there:
        print(f'installing {stack.plain_mmcv} ...', flush=True)
        run_pip(
            f'installing {stack.plain_mmcv}',
            *('install', '--quiet', stack.plain_mmcv),
            env={**os.environ, 'MMCV_WITH_OPS': '0'},
        )
        state = ops_state()
    if 'mmcv._ext' in state:
        write_pth()
        state = ops_state()
    if state not in ('compiled', 'plain'):
        raise UserError(f'mmcv cannot be imported: {state}')
    print(f'mmcv works with {state} operators')
    if state == 'plain':
        print(f'on a GPU compiled ones may be faster: {COMPILE}')


def write_pth() -> None:
    """Writes what a wheel of the package has beside it.

    Raises:
        UserError: the package lies where Python reads no such file.
    """
    dist = metadata.distribution('mmseg_plugin')
    folder = Path(str(dist.locate_file('')))
    known = {Path(path).resolve() for path in pth_folders()}
    if folder.resolve() not in known:
        raise UserError(
            f'{PTH_NAME} has no effect in {folder}, where mmseg_plugin is '
            'installed; install it with pip, without --target, or import '
            'mmseg_plugin before mmcv'
        )
    (folder / PTH_NAME).write_text(PTH_LINE)
    record = next(f for f in dist.files or () if f.name == 'RECORD')
    with open(record.locate(), 'a') as file:
        # Uninstalling removes what is listed here.
        file.write(f'{PTH_NAME},,\n')


def pth_folders() -> list[str]:
    """Where Python reads ``.pth`` files."""
    return [*site.getsitepackages(), site.getusersitepackages()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        '--stack',
        choices=STACKS,
        default=active_stack(),
        help='whose mmcv; the installed one by default',
    )
    parser.add_argument(
        '--compile',
        action='store_true',
        help='compile the operators for the installed torch, 10 minutes on 2\n'
        'cores, or take the kept wheel',
    )
    args = parser.parse_args()
    install = install_compiled if args.compile else install_plain
    install(STACKS[args.stack])


if __name__ == '__main__':
    run(main)
