"""Says what is installed, what each feature needs, and how to fix it."""

import importlib
import platform
import shutil
import sys
from typing import NamedTuple

import mmseg_plugin
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import run
from mmseg_plugin.ops.finder import COMPILE
from mmseg_plugin.stack import (
    STACKS,
    active_stack,
    fix,
    installed_version,
    package_version,
    stack_problems,
    version_tuple,
)

# As in setup.cfg.
LEAST_TORCH = '2.6'
OPS = 'python -m mmseg_plugin install_ops'


class Finding(NamedTuple):
    """One line of the report.

    Attributes:
        name: what was looked at.
        state: what was found.
        fix: a command that repairs it; empty when nothing is wrong.
    """

    name: str
    state: str
    fix: str = ''


def check_python() -> Finding:
    version = platform.python_version()
    if sys.version_info < (3, 10):  # noqa: UP036
        return Finding('python', version, 'use Python 3.10 or newer')
    return Finding('python', version)


def check_torch() -> list[Finding]:
    version = installed_version('torch')
    if version is None:
        return [Finding('torch', 'missing', 'pip install torch')]
    try:
        import torch
    except ImportError as error:
        fix_torch = 'pip install --force-reinstall torch'
        return [Finding('torch', f'{version}, broken: {error}', fix_torch)]
    if version_tuple(version) < version_tuple(LEAST_TORCH):
        state = f'{version} is older than {LEAST_TORCH}'
        found = [
            Finding('torch', state, f"pip install 'torch>={LEAST_TORCH}'")
        ]
    else:
        found = [Finding('torch', torch.__version__)]
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name(0)
        state = f'{torch.cuda.device_count()} x {name}'
        found.append(Finding('GPU', state))
    else:
        state = 'none visible to torch; everything runs on the CPU'
        found.append(Finding('GPU', state))
    return found


def check_packages(stack: str) -> list[Finding]:
    found = []
    for name, (distribution, _) in STACKS[stack].packages.items():
        problems = stack_problems((name,))
        version = package_version(stack, name)
        command = OPS if name == 'mmcv' else fix(stack)
        if problems:
            found.append(Finding(distribution, problems[0], command))
            continue
        try:
            importlib.import_module(name)
            found.append(Finding(distribution, str(version)))
        except Exception as error:
            # A broken install can fail in any way; say how and go on.
            state = f'{version}, does not import: {error}'
            found.append(Finding(distribution, state, command))
    return found


def check_ops() -> Finding:
    """Which operators mmcv has, and what the plain ones cost."""
    name = 'operators of mmcv'
    try:
        found = importlib.import_module('mmcv._ext')
    except Exception as error:
        # A library that does not match torch fails in many ways.
        state = f'missing or built for another torch ({error})'
        return Finding(name, state, OPS)
    if not hasattr(found, 'PLAIN'):
        return Finding(name, 'compiled')
    state = (
        'plain PyTorch; on a CPU mostly faster than compiled, '
        'slower for NMS of many boxes that overlap (docs/benchmarks.md); '
        f'for two-stage models on a GPU: {COMPILE}'
    )
    return Finding(name, state)


def check_features() -> list[Finding]:
    features = {
        'train, test, predict (detection, panoptic)': ('mmdet', 'mmcv._ext'),
        'semantic segmentation': ('mmseg', 'mmdet', 'mmcv._ext'),
        'COCO evaluation': ('pycocotools.mask',),
        'drawing and curves': ('matplotlib', 'cv2'),
    }
    found = []
    for feature, modules in features.items():
        broken = [name for name in modules if not _imports(name)]
        state = f'needs {", ".join(broken)}' if broken else 'ready'
        command = fix(active_stack()) if broken else ''
        found.append(Finding(feature, state, command))
    return found


def check_extras() -> list[Finding]:
    """What nothing needs; its absence is not wrong."""
    extras = {
        "matching with solver='torch'": (
            'torch_linear_assignment',
            'gpu-matching',
        ),
        'benchmark against transformers': ('transformers', 'benchmarks'),
    }
    found = []
    for feature, (module, extra) in extras.items():
        state = 'ready'
        if not _imports(module):
            state = f"not installed: pip install 'mmseg_plugin[{extra}]'"
        found.append(Finding(feature, state))
    return found


def _imports(name: str) -> bool:
    try:
        importlib.import_module(name)
    except Exception:
        # Whatever the reason, the feature cannot run.
        return False
    return True


def check_compiler() -> Finding:
    found = shutil.which('c++') or shutil.which('g++')
    if found:
        return Finding('C++ compiler', found)
    state = 'none; only install_ops --compile needs it'
    return Finding('C++ compiler', state)


def main() -> None:
    ToolParser(description=__doc__).parse_args()
    stack = active_stack()
    report = {
        f'mmseg_plugin {mmseg_plugin.__version__}, stack {stack}': [
            check_python(),
            *check_torch(),
            *check_packages(stack),
            check_ops(),
            check_compiler(),
        ],
        'features': check_features(),
        'optional': check_extras(),
    }
    broken = False
    for title, findings in report.items():
        print(f'{title}\n')
        for finding in findings:
            mark = '!!' if finding.fix else 'ok'
            print(f'  {mark} {finding.name:42} {finding.state}')
            if finding.fix:
                print(f'     fix: {finding.fix}')
                broken = True
        print()
    sys.exit(1 if broken else 0)


if __name__ == '__main__':
    run(main)
