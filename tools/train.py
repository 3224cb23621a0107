"""Trains a config, or a folder of data: new, check, train and report."""

import argparse
import sys
from pathlib import Path

from mmseg_plugin.cli.after_training import NO_REPORT, report_run, take_flag
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, run
from mmseg_plugin.cli.launch import (
    check_train_options,
    positional_places,
    run_installed_tool,
    started_by_torchrun,
    work_dir_of,
)


def data_on_command_line() -> argparse.Namespace | None:
    """Options of `new`, if the first word is data.

    Those options are then taken from the command line, and so is the word.
    """
    # Imports the framework, which a config does not need yet.
    from mmseg_plugin.apis.new_data import add_options
    from mmseg_plugin.datasets.formats import is_data

    parser = ToolParser(
        usage='%(prog)s DATA|CONFIG [options]',
        description=__doc__,
        epilog=f'Also {NO_REPORT}, and options of the installed train tool: '
        '--resume [FILE], --amp, --cfg-options KEY=VALUE ..., --launcher. Of '
        'a CONFIG, that tool has all options. A finished run is trained '
        'longer by --extend N WORK_DIR.',
    )
    add_options(parser)
    parser.add_argument(
        '--work-dir', type=Path, help='default: work_dirs/NAME_MODEL'
    )
    args, rest = parser.parse_known_args()
    check_train_options(parser.options() | {NO_REPORT, '--extend'})
    given, sys.argv[1:] = sys.argv[1:], rest
    places = positional_places()
    if not places and not args.start:
        parser.error('name a folder of data or a config')
    args.data = Path(sys.argv[places[0]]) if places else None
    if args.data and is_data(args.data):
        _check_alone('DATA', 'mmseg-plugin new DATA')
        del sys.argv[places[0]]
        return args
    sys.argv[1:] = given
    for word in given:
        name = word.partition('=')[0]
        if name in parser.options() - {'--work-dir', '--from'}:
            raise UserError(
                f'{name} is for DATA, and {args.data} is a config: what it '
                'says is changed with --cfg-options KEY=VALUE'
            )
    return None


def _check_alone(what: str, first: str) -> None:
    """Each process of ``torchrun`` would write the same files."""
    if started_by_torchrun():
        raise UserError(
            f'several processes train a CONFIG, not {what}: run "{first}" '
            'once and train the config that it writes'
        )


def config_of_data(args: argparse.Namespace) -> None:
    """Puts a config of data on the command line, written to --work-dir."""
    from mmseg_plugin.apis.new_data import config_name, write_config

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
    sys.argv[1:1] = [str(config), '--work-dir', str(args.work_dir)]


def train_config(again: str = '') -> Path:
    """Trains the config on the command line.

    Args:
        again: what to do where nothing was saved yet; by default to resume,
            too, which then begins anew.

    Returns:
        The folder of the run.

    Raises:
        KeyboardInterrupt: saying how to go on.
    """
    before = _last_checkpoint(_run()[1]) if again else ''
    try:
        run_installed_tool('train')
    except KeyboardInterrupt as error:
        config, folder = _run()
        words = f'{config} --work-dir {folder} --resume'
        if again and _last_checkpoint(folder) == before:
            words = again
        raise KeyboardInterrupt(
            f'go on with: mmseg-plugin train {words}'
        ) from error
    return _run()[1]


def _run() -> tuple[str, Path]:
    """Config on the command line, and the folder of its run."""
    config = sys.argv[positional_places()[0]]
    return config, work_dir_of(config)


def _last_checkpoint(folder: Path) -> str:
    record = folder / 'last_checkpoint'
    return record.read_text() if record.is_file() else ''


def train_more() -> Path:
    """Goes on with a finished run; see :func:`extend_run` for the rule.

    Returns:
        Its folder.
    """
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
        return train_config(f'--extend {args.extend} {args.run}')
    finally:
        made.checkpoint.unlink(missing_ok=True)


def train_anew() -> Path:
    """Trains data or a config; returns the folder of the run."""
    if args := data_on_command_line():
        config_of_data(args)
    elif any(word.startswith('--from') for word in sys.argv):
        from mmseg_plugin.apis.start import start_from_weights

        start_from_weights()
    return train_config()


def main() -> None:
    without_report = take_flag(NO_REPORT)
    if any(word.partition('=')[0] == '--extend' for word in sys.argv[1:]):
        work_dir = train_more()
    else:
        work_dir = train_anew()
    if not without_report:
        report_run(work_dir)


if __name__ == '__main__':
    run(main)
