"""Compiles mmcv with its operators into a wheel that is kept."""

import contextlib
import fcntl
import hashlib
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

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.pip import COMPILER_ERROR, failure, pip, run_pip

BUILD_TOOLS = ('ninja', 'setuptools>=77.0.3,<81', 'wheel', 'psutil')
STEP = re.compile(r'^\s*\[(\d+)/(\d+)\]')


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


def cpp_standard() -> int:
    """The C++ standard that the headers of torch ask for, e.g. 20.

    0 where they do not say.
    """
    import torch

    header = Path(torch.__file__).parent / (
        'include/torch/csrc/api/include/torch/all.h'
    )
    if not header.is_file():
        return 0
    # E.g. "__cplusplus < 202002L", above an #error.
    found = re.search(r'__cplusplus < 20(\d\d)\d\d', header.read_text())
    return int(found[1]) if found else 0


def with_standard(setup: str, least: int) -> str:
    """Text of a ``setup.py`` whose C++ standard is at least ``least``."""
    return re.sub(
        r'(?<=-std=c\+\+)\d+',
        lambda found: str(max(least, int(found[0]))),
        setup,
    )


def unpacked_source(requirement: str, folder: Path) -> Path:
    """Downloads mmcv's source, ready for the installed torch.

    Args:
        requirement: e.g. ``mmcv==2.1.0``.
        folder: to put it into.

    Returns:
        Folder of its ``setup.py``.

    Raises:
        UserError: no network.
    """
    run_pip(
        f'downloading {requirement}',
        *('download', '--quiet', '--no-deps', '--no-build-isolation'),
        *('--no-binary', ':all:', '--dest', str(folder), requirement),
        env=build_env(folder.parent),
    )
    (archive,) = folder.iterdir()
    shutil.unpack_archive(archive, folder)
    setup = next(folder.glob('*/setup.py'))
    setup.write_text(with_standard(setup.read_text(), cpp_standard()))
    return setup.parent


def compiler_flags() -> dict[str, str]:
    """The variables that hold them."""
    # Setuptools takes the variables in the place of the interpreter's own
    # flags, without which nothing is optimised. Debug information doubles
    # the time and bloats the wheel.
    own = f'{sysconfig.get_config_var("CFLAGS") or "-O3 -DNDEBUG"} -g0'
    return {
        name: f'{own} {os.environ.get(name, "")}'
        for name in ('CFLAGS', 'CXXFLAGS')
    }


def wheel_folder(name: str, version: str) -> Path:
    """Where the wheel of a package is kept, built for what is installed.

    Raises:
        UserError: there is no torch.
    """
    torch_version, device = torch_facts()
    python = f'py{sys.version_info.major}{sys.version_info.minor}'
    flags = hashlib.sha256(repr(compiler_flags()).encode()).hexdigest()[:8]
    built_for = f'{python}-torch{torch_version}-{device}-{platform.machine()}'
    return cache_folder() / f'{built_for}-{name}{version}-{flags}'


def build_env(folder: Path) -> dict[str, str]:
    """Variables of a build whose tools lie in ``folder / 'tools'``."""
    tools = folder / 'tools'
    return {
        **os.environ,
        'MMCV_WITH_OPS': '1',
        'MAX_JOBS': os.environ.get('MAX_JOBS')
        or str(len(os.sched_getaffinity(0))),
        **compiler_flags(),
        'PYTHONPATH': str(tools),
        'PATH': f'{tools / "bin"}{os.pathsep}{os.environ["PATH"]}',
    }


def compile_wheel(requirement: str, folder: Path, log: Path) -> None:
    """Compiles mmcv with ops into a wheel in ``folder``.

    Args:
        requirement: e.g. ``mmcv==2.1.0``.
        folder: empty folder for the wheel; tools and source go beside it.
        log: gets the compiler's whole output.

    Raises:
        UserError: no network, or the compilation failed.
    """
    run_pip(
        'installing the build tools',
        *('install', '--quiet', '--target', str(folder.parent / 'tools')),
        *BUILD_TOOLS,
    )
    download = folder.parent / 'source'
    download.mkdir()
    source = unpacked_source(requirement, download)
    env = build_env(folder.parent)
    print(
        f'compiling the ops of {requirement} with {env["MAX_JOBS"]} jobs, '
        'once; this takes about 10 minutes on 2 cores ...',
        flush=True,
    )
    process = subprocess.Popen(
        pip(
            *('wheel', '--verbose', '--no-deps', '--no-build-isolation'),
            *('--no-cache-dir', '--wheel-dir', str(folder), str(source)),
        ),
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors='replace',
    )
    progress, kept, failed = Progress(), deque[str](maxlen=200), ''
    with log.open('w') as file:
        for line in process.stdout or ():
            file.write(line)
            kept.append(line)
            if not failed and COMPILER_ERROR.match(line):
                failed = line
            if step := STEP.match(line):
                progress.show(int(step[1]), int(step[2]))
    if process.wait():
        what = f'compiling {requirement} (log: {log})'
        raise UserError(failure(what, failed or ''.join(kept)))


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
