"""The two OpenMMLab stacks: what they are made of, and whether one is here."""

import importlib.util
import re
from importlib import metadata
from pathlib import Path
from typing import NamedTuple


class Stack(NamedTuple):
    """One set of distributions that belong together.

    Attributes:
        packages: import name to (distribution, lowest version that works).
        mmcv: the exact mmcv that ``install_ops --compile`` compiles.
        plain_mmcv: the same without compiled operators, which pip installs
            without a compiler.
    """

    packages: dict[str, tuple[str, str]]
    mmcv: str
    plain_mmcv: str


STACKS = {
    'onedl': Stack(
        {
            'mmengine': ('onedl-mmengine', '0.10.12'),
            'mmcv': ('onedl-mmcv', '2.3.6'),
            'mmdet': ('onedl-mmdetection', '3.5.1'),
            'mmseg': ('onedl-mmsegmentation', '1.4.2'),
        },
        'onedl-mmcv==2.3.6',
        # Its source builds without operators where pip isolates the build.
        'onedl-mmcv==2.3.6',
    ),
    'openmmlab': Stack(
        {
            'mmengine': ('mmengine', '0.10.7'),
            'mmcv': ('mmcv', '2.1.0'),
            'mmdet': ('mmdet', '3.3.0'),
            'mmseg': ('mmsegmentation', '1.2.2'),
        },
        'mmcv==2.1.0',
        'mmcv-lite==2.1.0',
    ),
}

# What models need to be imported; mmseg is for semantic segmentation only.
_REQUIRED = ('mmengine', 'mmcv', 'mmdet')


class StackError(RuntimeError):
    """No usable stack.

    Not an ImportError: MMEngine swallows those while it looks for a registry
    and then reports only that a type is "not in the registry".
    """


def installed_version(distribution: str) -> str | None:
    """Version of an installed distribution, or None."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def version_tuple(version: str) -> tuple[int, ...]:
    """``'2.1.0rc1+cpu'`` to ``(2, 1, 0)``: its leading release numbers."""
    release = re.match(r'\d+(\.\d+)*', version)
    return tuple(map(int, release[0].split('.'))) if release else ()


def active_stack() -> str:
    """Name of the stack that is installed; ``'onedl'`` when none is."""
    for name, stack in STACKS.items():
        if installed_version(stack.packages['mmengine'][0]):
            return name
    return 'onedl'


def package_version(stack: str, package: str) -> str | None:
    """Version of an installed package of a stack, or None.

    Args:
        stack: key of :data:`STACKS`.
        package: import name; mmcv may be the one without operators.
    """
    found = installed_version(STACKS[stack].packages[package][0])
    if found is None and package == 'mmcv':
        plain, _, _ = STACKS[stack].plain_mmcv.partition('==')
        found = installed_version(plain)
    return found


def stack_problems(imports: tuple[str, ...] = _REQUIRED) -> list[str]:
    """Says what is missing or too old, one phrase each.

    Args:
        imports: import names to look at, keys of :attr:`Stack.packages`.
    """
    problems = []
    stack = active_stack()
    for name in imports:
        distribution, lowest = STACKS[stack].packages[name]
        found = package_version(stack, name)
        if found is None:
            problems.append(f'{distribution} is not installed')
        elif version_tuple(found) < version_tuple(lowest):
            problems.append(f'{distribution} {found} is older than {lowest}')
    return problems


def mim_folder(package: str) -> Path | None:
    """Folder of the configs and tools that an installed package brings."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / '.mim'


def fix(stack: str) -> str:
    """The command that installs ``stack``."""
    return f"pip install 'mmseg_plugin[{stack}]'"


def check_stack() -> None:
    """Refuses to go on without mmengine, mmcv and mmdet of one stack.

    Raises:
        StackError: one sentence with what is missing and what installs it.
    """
    problems = stack_problems()
    if problems:
        raise StackError(
            f'mmseg_plugin cannot be used: {", ".join(problems)}; '
            f'run: {fix(active_stack())}'
        )
