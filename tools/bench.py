"""Measures the plugin against its peers: speed and memory as ratios."""

import runpy
import sys
from pathlib import Path

from mmseg_plugin.cli.cli import UserError, run

BENCHMARKS = Path(__file__).resolve().parents[1] / 'benchmarks'


def main() -> None:
    if not (BENCHMARKS / '__main__.py').is_file():
        raise UserError(
            'the benchmarks are not part of the installed package: run '
            'bench from a checkout of mmseg_plugin'
        )
    # The folder is run whole, so that its modules find each other.
    sys.argv[0] = str(BENCHMARKS / '__main__.py')
    runpy.run_path(str(BENCHMARKS), run_name='__main__')


if __name__ == '__main__':
    run(main)
