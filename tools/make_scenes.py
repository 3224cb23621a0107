"""Makes a data set of synthetic scenes (COCO, panoptic and semantic)."""

import argparse
from pathlib import Path

from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, atomic_path, run
from mmseg_plugin.datasets.scenes import SceneOptions, write_scenes


def parse_args() -> argparse.Namespace:
    defaults = SceneOptions()
    parser = ToolParser(
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('out', type=Path, help='new or empty folder')
    parser.add_argument('--train', type=int, default=1000, metavar='N')
    parser.add_argument('--val', type=int, default=100, metavar='N')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=defaults.size,
        metavar=('H', 'W'),
        help='in pixels',
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--instances',
        type=int,
        nargs=2,
        default=defaults.instances,
        metavar=('MIN', 'MAX'),
        help='in an image that is not empty; a full image holds fewer',
    )
    parser.add_argument(
        '--small-share',
        type=float,
        default=defaults.small_share,
        help='share of instances of 6 to 16 px',
    )
    parser.add_argument(
        '--empty-share',
        type=float,
        default=defaults.empty_share,
        help='share of images without instances',
    )
    parser.add_argument(
        '--neighbour-share',
        type=float,
        default=defaults.neighbour_share,
        help='share of instances put next to one of the same class',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    for name in ('train', 'val', 'seed'):
        if getattr(args, name) < 0:
            raise UserError(
                f'--{name} must not be negative, got {getattr(args, name)}'
            )
    try:
        options = SceneOptions(
            tuple(args.size),
            tuple(args.instances),
            args.small_share,
            args.empty_share,
            args.neighbour_share,
        )
    except ValueError as error:
        raise UserError(str(error)) from error
    if args.out.exists() and (
        not args.out.is_dir() or any(args.out.iterdir())
    ):
        raise UserError(
            f'{args.out} exists and is not an empty folder; '
            'name a new one or remove it'
        )
    counts = {'train': args.train, 'val': args.val}
    with atomic_path(args.out) as folder:
        write_scenes(folder, counts, args.seed, options)


if __name__ == '__main__':
    run(main)
