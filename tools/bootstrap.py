"""Makes a virtual environment with one stack, torch and mmcv's ops.

What ``make`` calls before anything else; run with any Python >= 3.10 from a
checkout. Can be run again at any time: what is there already is kept.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

if sys.version_info < (3, 10):  # noqa: UP036
    # Before imports that an older one cannot read.
    sys.exit('error: Python 3.10 or newer is needed: make PYTHON=python3.11')

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mmseg_plugin.cli.cli import UserError, run  # noqa: E402
from mmseg_plugin.stack import STACKS  # noqa: E402
from tools.install_ops import failure  # noqa: E402


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
            f'{failure(what, done.stderr)}; mend the cause and run the same '
            'command again, it goes on from here'
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--stack', choices=STACKS, default='onedl')
    parser.add_argument('--venv', type=Path, required=True)
    parser.add_argument(
        '--torch', default='torch', help='what pip installs if none is there'
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
    pip = (python, '-m', 'pip', '--disable-pip-version-check', 'install', '-q')
    if not works(python, 'import torch'):
        step(f'installing {args.torch}', *pip, *args.torch.split())
    step(
        f'installing mmseg_plugin[{args.stack},dev]',
        *(*pip, '--editable', f'.[{args.stack},dev]'),
    )
    step(
        'finding or compiling the ops of mmcv',
        *(python, '-m', 'mmseg_plugin', 'install_ops', '--stack', args.stack),
    )


if __name__ == '__main__':
    run(main)
