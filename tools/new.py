"""Writes a config for a folder of data, and says what it chose and why."""

from pathlib import Path

from mmseg_plugin.apis.new_data import add_options, config_name, write_config
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import run


def main() -> None:
    parser = ToolParser(description=__doc__)
    parser.add_argument(
        'data', type=Path, metavar='DATA', help='folder, JSON or data.yaml'
    )
    add_options(parser)
    parser.add_argument(
        '--out', type=Path, help='the config; default: NAME_MODEL.py here'
    )
    args = parser.parse_args()
    if args.out is None:
        args.out = Path(f'{config_name(args)}.py')
    out = write_config(args)
    print(f'{out}: train it with: mmseg-plugin train {out}')


if __name__ == '__main__':
    run(main)
