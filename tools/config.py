"""Prints the path of a shipped config, or its whole text, or lists all."""

from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, run
from mmseg_plugin.cli.configs import expand, find_config, shipped_configs


def main() -> None:
    parser = ToolParser(description=__doc__)
    parser.add_argument('name', nargs='?', help='name of a shipped config')
    parser.add_argument(
        '--expand',
        action='store_true',
        help='print the config with everything it inherits, as one file',
    )
    args = parser.parse_args()
    name = args.name
    if args.expand:
        if name is None:
            raise UserError('--expand needs the name of a config')
        print(expand(find_config(name)), end='')
        return
    if name is None:
        for known, path in shipped_configs().items():
            print(f'{path.parent.name:16} {known}')
    else:
        print(find_config(name))


if __name__ == '__main__':
    run(main)
