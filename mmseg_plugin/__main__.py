"""Runs a tool: ``python -m mmseg_plugin <tool> ...``; lists them without."""

import ast
import os
import runpy
import select
import sys
import warnings
from pathlib import Path
from typing import NoReturn

from mmseg_plugin.cli.arguments import nearest
from mmseg_plugin.stack import STACKS, StackError, active_stack, fix

TOOLS = Path(__file__).parent / '.mim' / 'tools'


def tool_paths() -> dict[str, Path]:
    """Name of each tool to its file."""
    return {path.stem: path for path in sorted(TOOLS.glob('*.py'))}


def describe(path: Path) -> str:
    """First line of a tool's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ''
    return docstring.partition('\n')[0]


def refuse(sentence: str) -> NoReturn:
    """Ends the program as argparse does: one sentence, exit code 2."""
    print(f'error: {sentence}', file=sys.stderr)
    sys.exit(2)


def nobody_reads() -> bool:
    """Whether the other end of standard output's pipe is closed."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def main() -> None:
    """The console script ``mmseg-plugin``, too."""
    try:
        try:
            run_tool()
        finally:
            print(end='', flush=True)
    except BrokenPipeError:
        if not nobody_reads():
            raise
        # Python flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # As shells report a command that SIGPIPE ended.
        sys.exit(141)


def share_cores() -> None:
    """Lets OpenMP's threads sleep soon where they have nothing to do.

    Those of libgomp spin for milliseconds before they sleep, and so keep the
    core from other processes, data loaders' workers among them. A thousand
    turns bridge the gaps between an operator's parallel regions. To be called
    before torch loads libgomp, whose manual describes ``GOMP_SPINCOUNT``;
    what the user has set stays.
    ``benchmarks/check_threads.py`` measures it.
    """
    if 'OMP_WAIT_POLICY' not in os.environ:
        os.environ.setdefault('GOMP_SPINCOUNT', '1000')


def run_tool() -> None:
    """Runs the tool that the command line names."""
    share_cores()
    # MMEngine 0.10.7 looks for packages by it, before anything of ours.
    warnings.filterwarnings('ignore', message='pkg_resources is deprecated')
    tools = tool_paths()
    name = sys.argv[1] if len(sys.argv) > 1 else '--help'
    if name in ('-h', '--help'):
        print('usage: python -m mmseg_plugin <tool> [arguments]\n\ntools:')
        for tool, path in tools.items():
            print(f'  {tool:20} {describe(path)}')
        return
    if name not in tools:
        hint = nearest(name, tools)
        refuse(f'no tool {name!r}{hint}; there are: {", ".join(tools)}')
    del sys.argv[1]
    try:
        runpy.run_path(str(tools[name]), run_name='__main__')
    except KeyboardInterrupt as error:
        # As shells report a command that SIGINT ended.
        more = f'; {error}' if str(error) else ''
        print(f'\ninterrupted{more}', file=sys.stderr)
        sys.exit(130)
    except StackError as error:
        refuse(str(error))
    except ModuleNotFoundError as error:
        if error.name not in STACKS[active_stack()].packages:
            raise
        command = fix(active_stack())
        refuse(f'{name} needs {error.name}; run: {command}')


if __name__ == '__main__':
    main()
