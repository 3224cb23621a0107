"""Trains a config, or a folder of data: new, check, train and report."""

import sys
from pathlib import Path

from mmseg_plugin.cli.after_training import NO_REPORT, report_run, take_flag
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, run
from mmseg_plugin.cli.launch import (
    positional_places,
    run_installed_tool,
    work_dir_of,
)


def config_of_data() -> None:
    """Puts a config in the place of a folder on the command line.

    It is written to --work-dir; those options that choose it are taken.
    """
    # Imports the framework, which a config does not need yet.
    from mmseg_plugin.apis.new_data import (
        add_options,
        config_name,
        write_config,
    )

    parser = ToolParser(description=__doc__)
    add_options(parser)
    parser.add_argument('--work-dir', type=Path)
    args, rest = parser.parse_known_args()
    name = config_name(args)
    args.work_dir = args.work_dir or Path('work_dirs') / name
    args.out = args.work_dir / f'{name}.py'
    if args.out.exists():
        raise UserError(
            f'{args.out} is there from an earlier run; go on with it: '
            f'mmseg-plugin train {args.out} --work-dir {args.work_dir} '
            '--resume; or name another --work-dir'
        )
    config = write_config(args)
    sys.argv[1:] = [str(config), '--work-dir', str(args.work_dir), *rest]


def train_more() -> None:
    """Goes on with a finished run; see :func:`extend_run` for the rule."""
    from mmseg_plugin.apis.extend import extend_run

    parser = ToolParser(description=__doc__)
    parser.add_argument('run', type=Path, metavar='WORK_DIR')
    parser.add_argument('--extend', type=int, required=True, metavar='N')
    args, rest = parser.parse_known_args()
    made = extend_run(args.run, args.extend)
    print(made.words)
    sys.argv[1:] = [str(made.config), '--work-dir', str(args.run)]
    sys.argv += ['--resume', str(made.checkpoint), *rest]
    try:
        run_installed_tool('train')
    finally:
        made.checkpoint.unlink(missing_ok=True)


def main() -> None:
    if any(word.partition('=')[0] == '--extend' for word in sys.argv[1:]):
        train_more()
        return
    # A config is a file or a name, so that a folder can only be data.
    if len(sys.argv) > 1 and Path(sys.argv[1]).is_dir():
        config_of_data()
    elif any(word.startswith('--from') for word in sys.argv):
        from mmseg_plugin.apis.start import start_from_weights

        start_from_weights()
    without_report = take_flag(NO_REPORT)
    run_installed_tool('train')
    if not without_report:
        report_run(work_dir_of(sys.argv[positional_places()[0]]))


if __name__ == '__main__':
    run(main)
