"""Draws the panoptic results of two models side by side."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import mmcv
import torch
from tqdm import tqdm

from mmseg_plugin.apis.ground_truth import GroundTruth
from mmseg_plugin.apis.predictor import Predictor, find_images, read_image
from mmseg_plugin.apis.segments import Segment, segments_of
from mmseg_plugin.cli.cli import UserError, atomic_path, run
from mmseg_plugin.cli.configs import read_model_config
from mmseg_plugin.visualization.comparison import (
    Panel,
    draw_panoptic,
    draw_thing,
)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='Writes OUT/panoptic/<image>, ground truth and both results '
        'with a colour and a number for each thing, and OUT/things/<image>, '
        'the thing whose prediction by the first model covers the most '
        'things, outlined over what each model finds for it.',
    )
    for number in ('1', '2'):
        parser.add_argument(
            f'config{number}', help='path or name of a shipped config'
        )
        parser.add_argument(f'checkpoint{number}', help='weights, file or URL')
    parser.add_argument('input', type=Path, help='image or folder of images')
    parser.add_argument(
        '--ann',
        type=Path,
        required=True,
        help='COCO panoptic or instances file',
    )
    parser.add_argument(
        '--out', type=Path, required=True, help='new or empty folder'
    )
    parser.add_argument(
        '--names',
        nargs=2,
        default=['first', 'second'],
        help='titles of the models (default: first second)',
    )
    parser.add_argument(
        '--limit', type=int, help='take the first LIMIT images only'
    )
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    return parser.parse_args()


def build(config: str, checkpoint: str, device: str) -> Predictor:
    """A model that gives panoptic results."""
    predictor = Predictor(read_model_config(config), checkpoint, device)
    if 'thing_classes' not in predictor.meta:
        raise UserError(f'{config} is not for panoptic segmentation')
    return predictor


def only_things(segments: Sequence[Segment], meta: dict) -> list[Segment]:
    return [
        s
        for s in segments
        if meta['classes'][s.label] in meta['thing_classes']
    ]


def draw(
    path: Path, known: list[Segment], found: list[Panel], meta: dict, out: Path
) -> None:
    """Writes the pictures of one image.

    Args:
        path: the image.
        known: ground truth.
        found: results of the models.
        meta: classes of the data set.
        out: folder of the pictures.
    """
    image = read_image(path)
    panels = [Panel('ground truth', known), *found]
    whole = draw_panoptic(
        image, panels, meta['classes'], meta['thing_classes']
    )
    mmcv.imwrite(whole, str(out / 'panoptic' / path.name))
    thing = draw_thing(
        image,
        only_things(known, meta),
        [Panel(name, only_things(s, meta)) for name, s in found],
    )
    if thing is not None:
        mmcv.imwrite(thing, str(out / 'things' / path.name))


def main() -> None:
    args = parse_args()
    if args.out.exists() and (
        args.out.is_file() or next(args.out.iterdir(), None)
    ):
        raise UserError(f'--out {args.out} exists and is not an empty folder')
    predictors = [
        build(args.config1, args.checkpoint1, args.device),
        build(args.config2, args.checkpoint2, args.device),
    ]
    meta = predictors[0].meta
    if predictors[1].meta['classes'] != meta['classes']:
        raise UserError('the two models have different classes')
    truth = GroundTruth(args.ann, meta['classes'])
    annotated = [
        (path, image_id)
        for path in find_images(args.input)
        if (image_id := truth.find(path)) is not None
    ][: args.limit]
    if not annotated:
        raise UserError(f'{args.ann} has no image of {args.input}')
    with atomic_path(args.out) as part:
        for path, image_id in tqdm(annotated, unit='image'):
            image = read_image(path)
            found = [
                Panel(
                    name,
                    segments_of(model(image), len(meta['classes']))[
                        'panoptic'
                    ],
                )
                for name, model in zip(args.names, predictors, strict=True)
            ]
            draw(path, truth.segments(image_id), found, meta, part)


if __name__ == '__main__':
    run(main)
