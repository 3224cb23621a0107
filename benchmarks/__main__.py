"""Measures the plugin against its peers: speed and memory as ratios."""

import argparse
import importlib
import os
import time
from pathlib import Path

import torch
from against import compare
from clocks import cuda_clock, peak_growth
from device_run import measure_device
from growth import measure_growth
from harness import BENCHES, CPU, measure, write_line
from mmengine.logging import MMLogger
from parts import show_parts

from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, run

for path in sorted(Path(__file__).parent.glob('bench_*.py')):
    importlib.import_module(path.stem)


def choose(patterns: list[str]) -> list[str]:
    """Names of the benchmarks whose name holds one of the patterns.

    Raises:
        UserError: a pattern is in none of them.
    """
    for pattern in patterns:
        if not any(pattern in name for name in BENCHES):
            raise UserError(
                f'no benchmark is called like {pattern}; there are: '
                f'{", ".join(BENCHES)}'
            )
    return [n for n in BENCHES if any(p in n for p in patterns or [''])]


def parse_args() -> argparse.Namespace:
    parser = ToolParser(description=__doc__)
    parser.add_argument('names', nargs='*', help='parts of names; all if none')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/bench'))
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    parser.add_argument(
        '--minutes',
        type=float,
        default=8.0,
        help='with --device cuda: time for all, golden cases included',
    )
    parser.add_argument(
        '--against',
        type=Path,
        metavar='CHECKOUT',
        help='instead, our times and memory beside those of another checkout',
    )
    parser.add_argument(
        '--parts',
        action='store_true',
        help='instead, where the time goes: the largest parts of both sides',
    )
    parser.add_argument(
        '--growth',
        action='store_true',
        help='instead, how the mask path grows: a plot for each size',
    )
    # How a memory benchmark starts its arms.
    parser.add_argument('--arm', nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.minutes <= 0:
        parser.error(f'--minutes {args.minutes:g} is no time: above 0')
    return args


def main() -> None:
    args = parse_args()
    # Models list how each of their parameters was initialised.
    MMLogger.get_current_instance().setLevel('WARNING')
    stamp = time.strftime('%Y%m%d_%H%M%S')
    if args.device == 'cuda':
        out = args.out / f'{stamp}_cuda'
        measure_device(cuda_clock(), choose(args.names), out, args.minutes)
        return
    torch.set_num_threads(1)
    if args.arm:
        name, arm = args.arm
        print(peak_growth(getattr(BENCHES[name].arms(CPU.device), arm)))
    elif args.against:
        compare(choose(args.names), args.against)
    elif args.parts:
        show_parts(choose(args.names))
    elif args.growth:
        measure_growth(args.out)
    else:
        measure_all(choose(args.names), args.out / f'{stamp}.jsonl')


def measure_all(names: list[str], out: Path) -> None:
    """Measures and prints a row each, which is also written to a file."""
    header = ('bench', 'ours', 'peer', 'unit', 'ratio', 'target', 'peer is')
    row = '{:32} {:>9} {:>9} {:4} {:>7} {:>7}  {}'.format
    cores, load = os.cpu_count(), os.getloadavg()[0]
    print(f'one thread of {cores} cores, load average {load:.1f}\n')
    print(row(*header))
    for name in names:
        result = measure(name)
        write_line(out, result)
        print(
            row(
                name,
                f'{result["ours"]:.4g}',
                f'{result["peer"]:.4g}',
                result['unit'],
                f'{result["ratio"]:.2f}x',
                f'{BENCHES[name].target:g}x',
                result['peer_name'],
            ),
            flush=True,
        )
    print(f'\nwritten to {out}')


if __name__ == '__main__':
    run(main)
