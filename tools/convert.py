"""Converts checkpoints between the official code (detectron2) and mmdet.

Strict: a key that the method's table does not know ends the tool, nothing is
written. Reads .pth and detectron2's .pkl files as data; no code in them runs.
"""

import argparse
import pickle
from collections import defaultdict
from pathlib import Path

from mmseg_plugin import converters
from mmseg_plugin.cli.cli import UserError, atomic_path, run
from mmseg_plugin.converters.files import read_state, write_state


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('method', choices=converters.METHODS)
    parser.add_argument('source', type=Path, metavar='IN')
    parser.add_argument('target', type=Path, metavar='OUT')
    parser.add_argument(
        '--from', dest='side', choices=converters.SIDES, required=True
    )
    parser.add_argument('--to', choices=converters.SIDES, required=True)
    parser.add_argument(
        '--report', type=Path, help='write what became of every key (.tsv)'
    )
    args = parser.parse_args()
    if args.side == args.to:
        parser.error('--from and --to are the same')
    return args


def report_lines(conversion: converters.Conversion) -> list[str]:
    """One tab-separated line for every key of either file."""
    return [
        *(f'{old}\t{new}' for old, new in conversion.renamed),
        *(f'{old}\t(dropped: {why})' for old, why in conversion.dropped),
        *(f'(made)\t{new}' for new in conversion.made),
    ]


def summary_lines(conversion: converters.Conversion) -> list[str]:
    """A line for each reason why a key has no counterpart."""
    by_reason = defaultdict(list)
    for key, why in conversion.dropped:
        by_reason[why].append(key)
    lines = [f'dropped {few(keys)}: {why}' for why, keys in by_reason.items()]
    if conversion.made:
        lines.append(f'made {few(conversion.made)}')
    return lines


def few(keys: list[str]) -> str:
    """The first key, and how many more there are."""
    return keys[0] + (f' and {len(keys) - 1} more' if len(keys) > 1 else '')


def main() -> None:
    args = parse_args()
    try:
        state = read_state(args.source, args.side)
    except (OSError, ValueError, pickle.UnpicklingError) as error:
        raise UserError(str(error)) from None
    if args.side == 'd2':
        state = converters.current_names(state)
    try:
        table = converters.choose_table(args.method, state, args.side)
        conversion = converters.convert(state, table, args.to)
    except ValueError as error:
        raise UserError(
            f'{args.source} was not converted as {args.method}: {error}'
        ) from None
    with atomic_path(args.target) as part:
        write_state(conversion.state, part, args.to)
    if args.report:
        with atomic_path(args.report) as part:
            part.write_text('\n'.join(report_lines(conversion)) + '\n')
    print(*summary_lines(conversion), sep='\n')
    print(f'{args.target}: {len(conversion.renamed)} keys carried over')


if __name__ == '__main__':
    run(main)
