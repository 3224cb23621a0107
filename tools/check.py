"""Checks a data set: what would stop training, or spoil it in silence."""

import argparse
import contextlib
import json
import sys
from pathlib import Path

from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, atomic_path, run

# What mmdet prints when it is imported is no part of the findings.
with contextlib.redirect_stdout(sys.stderr):
    from mmseg_plugin.checks import (
        CHECKS,
        Finding,
        Selection,
        Snapshot,
        fixed_copy,
        format_report,
        run_checks,
    )
    from mmseg_plugin.checks.reading import read_target


def parse_args() -> argparse.Namespace:
    groups = sorted({check.group for check in CHECKS.values()})
    parser = ToolParser(
        description=__doc__,
        epilog=f'Groups of checks: {", ".join(groups)}. Exit code 1 if there '
        'are errors.',
    )
    parser.add_argument('target', metavar='DATA|CONFIG')
    parser.add_argument(
        '--fix',
        type=Path,
        metavar='OUT',
        help='write corrected copies of the annotation files into OUT',
    )
    parser.add_argument(
        '--strict', action='store_true', help='warnings are errors'
    )
    parser.add_argument(
        '--only', nargs='+', default=(), metavar='ID', help='or groups'
    )
    parser.add_argument(
        '--skip', nargs='+', default=(), metavar='ID', help='or groups'
    )
    parser.add_argument(
        '--no-images',
        action='store_true',
        help='look at the annotation files alone',
    )
    parser.add_argument(
        '--json', action='store_true', help='print the findings as JSON'
    )
    return parser.parse_args()


def write_fixed(
    out: Path, snapshots: list[Snapshot], findings: list[list[Finding]]
) -> list[str]:
    """Corrected copies of the files that have something to correct.

    Raises:
        UserError: OUT is there already, or nothing can be fixed.
    """
    if out.exists():
        raise UserError(f'{out} is there already; name another folder')
    done = []
    with atomic_path(out) as part:
        part.mkdir()
        for snapshot, found in zip(snapshots, findings, strict=True):
            data, fixed = fixed_copy(snapshot, found)
            if fixed:
                name = out_name(snapshot, snapshots)
                (part / name).write_text(json.dumps(data))
                done.append(f'{out / name}: fixed {", ".join(fixed)}')
        if not done:
            raise UserError('there is nothing that --fix can correct')
    return done


def out_name(snapshot: Snapshot, snapshots: list[Snapshot]) -> str:
    """Files of one name lie in folders of the splits."""
    names = [other.path.name for other in snapshots]
    if names.count(snapshot.path.name) == 1:
        return snapshot.path.name
    return f'{snapshot.path.parent.name}{snapshot.path.name}'


def main() -> None:
    args = parse_args()
    try:
        selection = Selection(tuple(args.only), tuple(args.skip))
    except ValueError as error:
        raise UserError(str(error)) from error
    words, snapshots, options = read_target(args.target, not args.no_images)
    findings = [run_checks(s, options, selection) for s in snapshots]
    together = [finding for found in findings for finding in found]
    if args.json:
        print(json.dumps([finding.as_dict() for finding in together]))
    else:
        print(format_report(together, words))
    if args.fix:
        for line in write_fixed(args.fix, snapshots, findings):
            print(line, file=sys.stderr)
    bad = ('error', 'warning') if args.strict else ('error',)
    sys.exit(any(finding.severity in bad for finding in together))


if __name__ == '__main__':
    run(main)
