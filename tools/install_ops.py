"""Builds (once) or finds mmcv with its compiled ops, and installs it.

Needs nothing but the standard library and torch. The wheel is kept in
``${XDG_CACHE_HOME:-~/.cache}/mmseg_plugin/wheels``, by python, torch, device
and mmcv version.
"""

import argparse
import contextlib
import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from mmseg_plugin.cli.cli import UserError, run
from mmseg_plugin.stack import STACKS, active_stack, installed_version

BUILD_TOOLS = ('ninja', 'setuptools>=77.0.3,<81', 'wheel', 'psutil')
STEP = re.compile(r'^\s*\[(\d+)/(\d+)\]')
# What pip says when it cannot reach an index.
OFFLINE = re.compile(
    r'NewConnectionError|name resolution|No matching distribution|'
    r'ReadTimeoutError|Network is unreachable|Connection refused'
)


def cache_folder() -> Path:
    """Where wheels are kept."""
    home = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(home) / 'mmseg_plugin' / 'wheels'


def torch_facts() -> tuple[str, str]:
    """Version of the installed torch, and ``'cuda'`` or ``'cpu'``.

    Raises:
        UserError: there is no torch.
    """
    try:
        import torch
    except ImportError:
        raise UserError(
            'torch is not installed, and the ops are compiled against it; '
            'run: pip install torch'
        ) from None
    forced = os.environ.get('FORCE_CUDA') == '1'
    with_cuda = forced or torch.cuda.is_available()
    return torch.__version__, 'cuda' if with_cuda else 'cpu'


def ops_work() -> bool:
    """Whether the installed mmcv loads its compiled ops."""
    command = [sys.executable, '-c', 'import mmcv._ext']
    return subprocess.run(command, capture_output=True).returncode == 0


def check_compiler() -> None:
    """Looks for what compiling needs, before anything is downloaded.

    Raises:
        UserError: no C++ compiler, or no Python headers.
    """
    compiler = os.environ.get('CXX', 'c++').split()[0]
    if shutil.which(compiler) is None and shutil.which('g++') is None:
        raise UserError(
            f'no C++ compiler ({compiler}) was found, and the ops have to be '
            'compiled; install one, e.g.: apt-get install g++'
        )
    header = Path(sysconfig.get_paths()['include']) / 'Python.h'
    if not header.is_file():
        raise UserError(
            f"Python's headers are missing ({header}); install them, e.g.: "
            'apt-get install python3-dev'
        )


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Holds a lock file; a second process waits, a dead one leaves none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print('another process is compiling them; waiting ...', flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def pip(*arguments: str) -> list[str]:
    """Command line of this interpreter's pip."""
    return [
        *(sys.executable, '-m', 'pip', '--disable-pip-version-check'),
        *arguments,
    ]


def run_pip(what: str, *arguments: str) -> None:
    """Runs pip quietly.

    Raises:
        UserError: it failed; names ``what`` and the likely cause.
    """
    done = subprocess.run(
        pip(*arguments), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UserError(failure(what, done.stderr + done.stdout))


def failure(what: str, output: str) -> str:
    """One sentence for a failed pip run."""
    if OFFLINE.search(output):
        return f'{what} failed: the package index cannot be reached'
    lines = [line for line in output.splitlines() if 'rror' in line]
    return f'{what} failed: {lines[-1].strip() if lines else output[-300:]}'


class Progress:
    """Says how far a compilation is, from ninja's ``[12/77]`` lines."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.said = 0.0

    def show(self, done: int, total: int) -> None:
        now = time.monotonic()
        on_screen = sys.stdout.isatty()
        if done < total and now - self.said < (0.5 if on_screen else 15):
            return
        self.said = now
        spent = now - self.start
        left = spent / done * (total - done)
        print(
            f'{chr(13) if on_screen else ""}  {done}/{total} files, '
            f'{spent:.0f} s gone, about {left:.0f} s left  ',
            end='' if on_screen and done < total else '\n',
            flush=True,
        )


def compile_wheel(requirement: str, folder: Path, log: Path) -> None:
    """Compiles mmcv with ops into a wheel in ``folder``.

    Args:
        requirement: e.g. ``mmcv==2.1.0``.
        folder: empty folder for the wheel; build tools go beside it.
        log: gets the compiler's whole output.

    Raises:
        UserError: no network, or the compilation failed.
    """
    tools = folder.parent / 'tools'
    run_pip(
        'installing the build tools',
        *('install', '--quiet', '--target', str(tools), *BUILD_TOOLS),
    )
    jobs = os.environ.get('MAX_JOBS') or str(len(os.sched_getaffinity(0)))
    print(
        f'compiling the ops of {requirement} with {jobs} jobs, once; '
        'this takes about 10 minutes on 2 cores ...',
        flush=True,
    )
    env = {
        **os.environ,
        'MMCV_WITH_OPS': '1',
        'MAX_JOBS': jobs,
        # Debug information doubles the time and bloats the wheel.
        'CFLAGS': f'{os.environ.get("CFLAGS", "")} -g0',
        'CXXFLAGS': f'{os.environ.get("CXXFLAGS", "")} -g0',
        'PYTHONPATH': str(tools),
        'PATH': f'{tools / "bin"}{os.pathsep}{os.environ["PATH"]}',
    }
    process = subprocess.Popen(
        pip(
            *('wheel', '--verbose', '--no-deps', '--no-build-isolation'),
            *('--no-cache-dir', '--wheel-dir', str(folder), requirement),
        ),
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors='replace',
    )
    progress, tail = Progress(), deque[str](maxlen=200)
    with log.open('w') as file:
        for line in process.stdout or ():
            file.write(line)
            tail.append(line)
            if step := STEP.match(line):
                progress.show(int(step[1]), int(step[2]))
    if process.wait():
        what = f'compiling {requirement} (log: {log})'
        raise UserError(failure(what, ''.join(tail)))


def find_or_build(requirement: str, folder: Path) -> Path:
    """The wheel in ``folder``; compiled first if there is none."""
    with lock(Path(f'{folder}.lock')):
        if wheels := list(folder.glob('*.whl')):
            return wheels[0]
        check_compiler()
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            fresh = Path(scratch) / 'wheel'
            fresh.mkdir()
            compile_wheel(requirement, fresh, Path(f'{folder}.log'))
            shutil.rmtree(folder, ignore_errors=True)
            fresh.rename(folder)
        return next(folder.glob('*.whl'))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--stack',
        choices=STACKS,
        default=active_stack(),
        help='whose mmcv; the installed one by default',
    )
    requirement = STACKS[parser.parse_args().stack].mmcv
    name, version = requirement.split('==')
    if installed_version(name) == version and ops_work():
        print(f'{requirement} is installed with working ops')
        return
    torch_version, device = torch_facts()
    python = f'py{sys.version_info.major}{sys.version_info.minor}'
    key = f'{python}-torch{torch_version}-{device}-{platform.machine()}'
    folder = cache_folder() / f'{key}-{name}{version}'
    wheel = find_or_build(requirement, folder)
    run_pip(
        f'installing {wheel.name}',
        *('install', '--quiet', '--no-deps', '--force-reinstall', str(wheel)),
    )
    if not ops_work():
        shutil.rmtree(folder)
        raise UserError(
            f'the ops of {wheel.name} cannot be loaded here, so the kept '
            'wheel was removed; run the same command again to compile them'
        )
    print(f'installed {requirement} with ops, from {wheel}')


if __name__ == '__main__':
    run(main)
