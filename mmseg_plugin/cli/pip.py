"""Runs pip, and says in one sentence why it failed."""

import re
import subprocess
import sys

from mmseg_plugin.cli.cli import UserError

# What pip says when it cannot reach an index.
OFFLINE = re.compile(
    r'NewConnectionError|name resolution|No matching distribution|'
    r'ReadTimeoutError|Network is unreachable|Connection refused'
)
# What GCC, Clang and nvcc begin an error with, after file and line. Pip
# indents it.
COMPILER_ERROR = re.compile(
    r'^\s*([^\s:(]+[:(]\d+.*?\berror\b|nvcc (fatal|error))'
)


def pip(*arguments: str) -> list[str]:
    """Command line of this interpreter's pip."""
    return [
        *(sys.executable, '-m', 'pip', '--disable-pip-version-check'),
        *arguments,
    ]


def run_pip(
    what: str, *arguments: str, env: dict[str, str] | None = None
) -> None:
    """Runs pip quietly, with other variables if given.

    Raises:
        UserError: it failed; names ``what`` and the likely cause.
    """
    done = subprocess.run(
        pip(*arguments),
        capture_output=True,
        text=True,
        check=False,
        env=env,
    )
    if done.returncode:
        raise UserError(failure(what, done.stderr + done.stdout))


def failure(what: str, output: str) -> str:
    """One sentence for a failed pip run."""
    if OFFLINE.search(output):
        return f'{what} failed: the package index cannot be reached'
    lines = output.splitlines()
    if first := next(filter(COMPILER_ERROR.match, lines), None):
        return (
            f'{what} failed: {first.strip()}; try another compiler (CXX=...) '
            'or torch, or do without: the plain operators need neither'
        )
    lines = [line for line in lines if 'rror' in line]
    return f'{what} failed: {lines[-1].strip() if lines else output[-300:]}'
