"""Checks a data set: what would stop training, or spoil it in silence."""

import argparse
import json
import sys
from pathlib import Path

from mmseg_plugin.checks import (
    CHECKS,
    Selection,
    format_report,
    run_checks,
)
from mmseg_plugin.checks.fixed_files import write_fixed
from mmseg_plugin.checks.page import page
from mmseg_plugin.checks.reading import read_target
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, atomic_path, run


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
        help='write corrected annotation files into the folder OUT, which '
        'can be trained on as DATA',
    )
    parser.add_argument(
        '--html',
        type=Path,
        metavar='OUT',
        help='write the report as a page, with examples drawn',
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
    if args.html:
        with atomic_path(args.html) as part:
            part.write_text(page(words, snapshots, findings))
    if args.fix:
        for line in write_fixed(args.fix, snapshots, findings):
            print(line, file=sys.stderr)
    bad = ('error', 'warning') if args.strict else ('error',)
    sys.exit(any(finding.severity in bad for finding in together))


if __name__ == '__main__':
    run(main)
