"""Writes one HTML file about a run, or about several side by side."""

import argparse
from pathlib import Path

import torch

from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, run
from mmseg_plugin.reporting import build_report


def parse_args() -> argparse.Namespace:
    parser = ToolParser(
        description=__doc__,
        epilog='The best checkpoint of each run, or its last, is run on the '
        'validation images; what it finds is kept in RUN/report. Start where '
        'the runs were started, so that their data are found.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('runs', nargs='+', type=Path, metavar='RUN')
    parser.add_argument(
        '--out', type=Path, help='default: report.html in the first run'
    )
    parser.add_argument(
        '--images',
        type=int,
        default=500,
        help='validation images at most, evenly chosen; 0: all',
    )
    parser.add_argument(
        '--no-predict',
        action='store_true',
        help='report what was logged, run no checkpoint',
    )
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.images < 0:
        raise UserError(f'--images must be 0 or more, got {args.images}')
    out = args.out or args.runs[0] / 'report.html'
    if out.is_dir():
        raise UserError(f'--out {out} is a folder; name a file')
    build_report(args.runs, out, not args.no_predict, args.images, args.device)
    print(f'report: {out}')


if __name__ == '__main__':
    run(main)
