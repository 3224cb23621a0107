"""Makes a virtual environment with one stack and torch.

What ``make`` calls before anything else; run with any Python >= 3.10 from a
checkout. Can be run again at any time: what is there already is kept.
"""

import argparse
import configparser
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if sys.version_info < (3, 10):  # noqa: UP036
    # Before imports that an older one cannot read.
    sys.exit('error: Python 3.10 or newer is needed: make PYTHON=python3.11')

# All that the sources of either stack are built with.
BUILD_TOOLS = ('setuptools>=80,<81', 'wheel', 'packaging>=24.2')
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mmseg_plugin.cli.cli import UserError, run  # noqa: E402
from mmseg_plugin.cli.pip import failure  # noqa: E402
from mmseg_plugin.stack import STACKS  # noqa: E402


def works(python: Path, code: str) -> bool:
    """Whether ``code`` runs in the environment."""
    if not python.exists():
        return False
    command = [str(python), '-c', code]
    return subprocess.run(command, capture_output=True).returncode == 0


def step(what: str, *command: object) -> None:
    """Runs one step with its output shown.

    Raises:
        UserError: it failed; names the likely cause.
    """
    print(f'-- {what}', flush=True)
    done = subprocess.run(
        list(map(str, command)),
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        raise UserError(
            f'{failure(what, done.stderr)}; fix the cause and run the same '
            'command again, it goes on from here'
        )


def requirements(stack: str) -> list[str]:
    """The packages of a stack, as pip wants them."""
    found = STACKS[stack]
    return [
        found.plain_mmcv if name == 'mmcv' else f'{package}=={version}'
        for name, (package, version) in found.packages.items()
    ]


def extras() -> list[str]:
    """What setup.cfg lists for work on a checkout."""
    config = configparser.ConfigParser()
    config.read(ROOT / 'setup.cfg')
    lists = config['options.extras_require']
    lines = f'{lists["dev"]}\n{lists["export"]}'.splitlines()
    return [line for line in lines if line and not line.startswith('#')]


def install_packages(python: Path, stack: str, torch: list[str]) -> None:
    """Everything but mmcv's operators.

    Args:
        python: of the environment.
        stack: key of :data:`STACKS`.
        torch: what pip is given for it, with options of its own.
    """
    pip = (python, '-m', 'pip', '--disable-pip-version-check')
    # Python compiles what is imported; all of torch takes half a minute.
    install = (*pip, 'install', '-q', '--no-compile')
    # Built here, they need not each fetch the same tools.
    own = ('--no-deps', '--no-build-isolation')
    os.environ['MMCV_WITH_OPS'] = '0'
    step('installing what builds packages', *install, *BUILD_TOOLS)
    names = requirements(stack)
    with tempfile.TemporaryDirectory() as wheels:
        build = (*pip, 'wheel', '-q', *own, '-w', wheels, *names)
        jobs: dict[str, tuple[object, ...]] = {
            f'building {", ".join(names)}': build,
            'installing what checks and tests need': (*install, *extras()),
        }
        # One core each. Not torch: mmcv's build would import half of it.
        with ThreadPoolExecutor() as pool:
            started = [pool.submit(step, k, *v) for k, v in jobs.items()]
            for job in started:
                job.result()
        built = sorted(Path(wheels).glob('*.whl'))
        step(f'installing {", ".join(names)}', *install, '--no-deps', *built)
    packages = ('--editable', f'.[{stack},dev,export]')
    if works(python, 'import torch'):
        torch = []
    elif len(torch) > 1:
        # Its index is for torch alone.
        step(f'installing {torch[0]}', *install, *torch)
        torch = []
    what = f'mmseg_plugin[{stack},dev,export]'
    what = ' and '.join([*torch, what])
    step(f'installing {what}', *install, *torch, *packages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--stack', choices=STACKS, default='onedl')
    parser.add_argument('--venv', type=Path, required=True)
    parser.add_argument(
        '--torch', default='torch', help='what pip installs if none is there'
    )
    parser.add_argument(
        '--ops',
        choices=('plain', 'compiled'),
        default='plain',
        help='whether to compile the operators of mmcv',
    )
    args = parser.parse_args()
    if not (ROOT / 'setup.cfg').is_file():
        raise UserError(
            'bootstrap sets up a checkout; an installed mmseg_plugin needs '
            'install_ops only'
        )
    python = args.venv.resolve() / 'bin' / 'python'
    if not works(python, 'import pip'):
        shutil.rmtree(args.venv, ignore_errors=True)
        step(f'making {args.venv}', sys.executable, '-m', 'venv', args.venv)
    install_packages(python, args.stack, args.torch.split())
    compiled = ('--compile',) if args.ops == 'compiled' else ()
    step(
        'looking for the operators of mmcv',
        *(python, '-m', 'mmseg_plugin', 'install_ops'),
        *('--stack', args.stack, *compiled),
    )


if __name__ == '__main__':
    run(main)
