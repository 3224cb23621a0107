"""A PATH without a compiler, as of a person who never installed one."""

import shutil
from pathlib import Path

# What make and Python's own environments call.
PROGRAMS = (
    *('sh', 'bash', 'env', 'make', 'touch', 'mkdir', 'rm', 'cp', 'ls', 'cat'),
    *('uname', 'dirname', 'basename', 'nproc', 'git', 'ldconfig'),
)
COMPILERS = ('cc', 'c++', 'gcc', 'g++', 'clang', 'clang++', 'nvcc', 'ninja')


def bare_path(folder: Path) -> str:
    """Fills a folder with links to plain programs.

    Returns:
        The folder, as the value of ``PATH``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        found = shutil.which(name)
        if found and not (folder / name).exists():
            (folder / name).symlink_to(found)
    path = str(folder)
    there = [name for name in COMPILERS if shutil.which(name, path=path)]
    assert not there, there
    return path
