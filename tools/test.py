"""Tests a checkpoint: the test tool of the installed mmdet or mmseg."""

import sys
from pathlib import Path

from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, run
from mmseg_plugin.cli.launch import positional_places, run_installed_tool
from mmseg_plugin.stack import check_stack

_RESULTS = """\
--results OUT: new folder for metrics.json; until all images are done it is
called OUT.part, and the same command goes on where it was stopped, with any
number of processes of torchrun. All other options:
"""


def main() -> None:
    parser = ToolParser(add_help=False)
    parser.add_argument('--results', metavar='OUT')
    args, sys.argv[1:] = parser.parse_known_args()
    if {'-h', '--help'} & set(sys.argv):
        print(_RESULTS)
    for place in positional_places()[1:2]:
        checkpoint = sys.argv[place]
        is_path = '://' not in checkpoint
        if is_path and not Path(checkpoint).expanduser().is_file():
            raise UserError(f'checkpoint {checkpoint} cannot be found')
    if not args.results:
        run_installed_tool('test', prepare=_dump_any_masks)
        return
    check_stack()
    from mmseg_plugin.engine.loops import results_kept_in

    with results_kept_in(args.results):
        run_installed_tool('test', prepare=_dump_any_masks)


def _dump_any_masks() -> None:
    """Lets ``--out`` of mmdet's tool take RLE, as ``rle=True`` gives it."""
    import mmdet.evaluation

    from mmseg_plugin.apis.dump import DumpAnyResults

    mmdet.evaluation.DumpDetResults = DumpAnyResults


if __name__ == '__main__':
    run(main)
