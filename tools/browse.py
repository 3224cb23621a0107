"""Draws samples of a config as the model is given them, augmented."""

import argparse
from pathlib import Path

import mmcv

import mmseg_plugin.registry  # noqa: F401
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, atomic_path, run
from mmseg_plugin.cli.configs import find_config, read_config
from mmseg_plugin.utils.words import counted
from mmseg_plugin.visualization.browsing import browse
from mmseg_plugin.visualization.inputs import contact_sheet


def parse_args() -> argparse.Namespace:
    parser = ToolParser(
        description=__doc__,
        epilog='Writes OUT/NUMBER_NAME.jpg for each sample, and all of them '
        'on OUT/sheet.jpg.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('config', help='path or name of a shipped config')
    parser.add_argument(
        '--out', type=Path, default=Path('browse'), help='a new folder'
    )
    parser.add_argument(
        '--split', choices=('train', 'val', 'test'), default='train'
    )
    parser.add_argument('--samples', type=int, default=16)
    parser.add_argument(
        '--seed', type=int, default=0, help='of choice and augmentation'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.samples < 1:
        raise UserError(f'--samples must be 1 or more, got {args.samples}')
    if args.seed < 0:
        raise UserError(f'--seed must be 0 or more, got {args.seed}')
    if args.out.exists():
        raise UserError(f'--out {args.out} is there already; name another')
    config = read_config(find_config(args.config))
    drawn = []
    with atomic_path(args.out) as folder:
        samples = browse(config, args.split, args.samples, args.seed)
        for number, (name, picture) in enumerate(samples):
            path = folder / f'{number:03}_{Path(name).stem}.jpg'
            mmcv.imwrite(picture, str(path))
            drawn.append(picture)
        if not drawn:
            raise UserError(f'{args.split}_dataloader has no sample')
        mmcv.imwrite(contact_sheet(drawn), str(folder / 'sheet.jpg'))
    print(f'{counted(len(drawn), "sample")}: {args.out}/sheet.jpg')


if __name__ == '__main__':
    run(main)
