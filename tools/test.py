"""Tests a checkpoint: the test tool of the installed mmdet or mmseg."""

import sys
from pathlib import Path

from mmseg_plugin.utils.cli import UserError, run
from mmseg_plugin.utils.launch import run_installed_tool


def main() -> None:
    checkpoint = sys.argv[2] if len(sys.argv) > 2 else '-'
    is_path = not checkpoint.startswith('-') and '://' not in checkpoint
    if is_path and not Path(checkpoint).expanduser().is_file():
        raise UserError(f'checkpoint {checkpoint} cannot be found')
    run_installed_tool('test')


if __name__ == '__main__':
    run(main)
