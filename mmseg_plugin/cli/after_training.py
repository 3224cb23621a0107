"""The report at the end of a training run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

NO_REPORT = '--no-report'


def take_flag(flag: str) -> bool:
    """Whether a flag is on the command line, from which it is taken."""
    there = flag in sys.argv
    sys.argv[:] = [word for word in sys.argv if word != flag]
    return there


def report_run(work_dir: Path) -> None:
    """Writes the report of a finished run, in a process of its own.

    It has the memory of the device to itself, and what goes wrong there is
    no failure of the run. Processes but the first write none.

    Args:
        work_dir: of the run.
    """
    if os.environ.get('RANK', '0') != '0':
        return
    # Not one of several processes any more.
    names = ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT')
    alone = {k: v for k, v in os.environ.items() if k not in names}
    command = [sys.executable, '-m', 'mmseg_plugin', 'report', str(work_dir)]
    print(f'writing the report of {work_dir} ({NO_REPORT} leaves it out)')
    if subprocess.run(command, check=False, env=alone).returncode:
        print(
            f'the report could not be written, see above; the run in '
            f'{work_dir} is whole. Try again: mmseg-plugin report {work_dir}',
            file=sys.stderr,
        )
