"""Prints the path of a shipped config, or lists all of them."""

from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import run
from mmseg_plugin.cli.configs import find_config, shipped_configs


def main() -> None:
    parser = ToolParser(description=__doc__)
    parser.add_argument('name', nargs='?', help='name of a shipped config')
    name = parser.parse_args().name
    if name is None:
        for known, path in shipped_configs().items():
            print(f'{path.parent.name:16} {known}')
    else:
        print(find_config(name))


if __name__ == '__main__':
    run(main)
