"""Shows one query's mask, box and sampled points layer by layer.

Several models stand below each other: Mask2Former beside Mask DINO.
"""

import argparse
from pathlib import Path

import numpy as np

from mmseg_plugin.apis.predictor import Predictor
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, atomic_path, run
from mmseg_plugin.cli.configs import read_model_config
from mmseg_plugin.visualization.drawing import as_picture
from mmseg_plugin.visualization.query_views import (
    ModelViews,
    draw_views,
    query_views,
)


def parse_args() -> argparse.Namespace:
    parser = ToolParser(description=__doc__)
    parser.add_argument('image', type=Path)
    parser.add_argument('out', type=Path, help='picture to write, .png')
    parser.add_argument(
        '--model',
        nargs=2,
        action='append',
        required=True,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='path or name of a config and its weights; once a model',
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        '--query', type=int, help='number (default: the surest query)'
    )
    which.add_argument(
        '--at',
        type=float,
        nargs=2,
        metavar=('X', 'Y'),
        help='the surest query whose mask covers this pixel of the image',
    )
    return parser.parse_args()


def views_of(args: argparse.Namespace, name: str, weights: str) -> ModelViews:
    """What one model makes of the image."""
    config = read_model_config(name)
    predictor = Predictor(config, weights, 'cpu')
    if not hasattr(predictor.model, 'panoptic_head'):
        raise UserError(f'{name} is no query model of mmdet')
    image = predictor.read(args.image)
    data = predictor.prepare(image)
    # What the network sees, before it is normalised.
    seen = as_picture(data['inputs'][0].permute(1, 2, 0).numpy())
    batch = predictor.model.data_preprocessor(data)
    (sample,) = batch['data_samples']
    size = sample.metainfo['batch_input_shape']
    at = None
    if args.at:
        sides = image.shape[1::-1]
        if not all(0 <= a < b for a, b in zip(args.at, sides, strict=True)):
            raise UserError(
                f'--at {args.at[0]:g} {args.at[1]:g} is outside of '
                f'{args.image}, {sides[0]} pixels wide and {sides[1]} high'
            )
        scale = np.divide(sample.img_shape[::-1], sides)
        x, y = np.array(args.at) * scale / size[::-1]
        at = (float(x), float(y))
    try:
        query, views = query_views(
            predictor.model, batch['inputs'], sample, args.query, at
        )
    except ValueError as error:
        raise UserError(f'{name}: {error}') from None
    title = f'{config.model.type} query {query}'
    classes = predictor.meta['classes']
    return ModelViews(title, views, seen[..., ::-1], size, classes)


def main() -> None:
    args = parse_args()
    if not args.image.is_file():
        raise UserError(f'{args.image} cannot be read: there is no such file')
    figure = draw_views([views_of(args, *model) for model in args.model])
    with atomic_path(args.out) as part:
        figure.savefig(part, dpi=80, format='png')
    print(f'wrote {args.out}')


if __name__ == '__main__':
    run(main)
