"""Tests a checkpoint: the test tool of the installed mmdet or mmseg."""

import sys
from pathlib import Path

from mmseg_plugin.cli.cli import UserError, run
from mmseg_plugin.cli.launch import positional_places, run_installed_tool


def main() -> None:
    for place in positional_places()[1:2]:
        checkpoint = sys.argv[place]
        is_path = '://' not in checkpoint
        if is_path and not Path(checkpoint).expanduser().is_file():
            raise UserError(f'checkpoint {checkpoint} cannot be found')
    run_installed_tool('test', prepare=_dump_any_masks)


def _dump_any_masks() -> None:
    """Lets ``--out`` of mmdet's tool take RLE, as ``rle=True`` gives it."""
    import mmdet.evaluation

    from mmseg_plugin.apis.dump import DumpAnyResults

    mmdet.evaluation.DumpDetResults = DumpAnyResults


if __name__ == '__main__':
    run(main)
