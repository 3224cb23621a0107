"""Draws the panoptic results of two models side by side."""

import argparse
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import mmcv
import numpy as np
import torch
from tqdm import tqdm

from mmseg_plugin.apis.data_parts import given_truth
from mmseg_plugin.apis.ground_truth import GroundTruth
from mmseg_plugin.apis.predictor import Predictor, find_images
from mmseg_plugin.apis.segments import Segment, segments_of
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, atomic_path, run
from mmseg_plugin.cli.configs import read_model_config
from mmseg_plugin.visualization.comparison import (
    Panel,
    draw_panoptic,
    draw_thing,
)


def parse_args() -> argparse.Namespace:
    parser = ToolParser(
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


def panoptic_segments(
    path: Path,
    predictor: Predictor,
    size: tuple[int, int],
    classes: Sequence[str],
) -> list[Segment]:
    """What one model finds in an image.

    Args:
        path: the image.
        predictor: the model, which reads the image by itself.
        classes: names of the labels that are returned.
        size: height and width of the image as the first model reads it.

    Raises:
        UserError: the size is another one, or the model is not panoptic.
    """
    image = predictor.read(path)
    if image.shape[:2] != size:
        raise UserError(
            f'the two configs read {path} as {size[1]}x{size[0]} and '
            f'{image.shape[1]}x{image.shape[0]} pixels: give both the same '
            'first step of the test pipeline'
        )
    kinds = segments_of(predictor(image), len(classes))
    if 'panoptic' not in kinds:
        raise UserError(
            'a model gives no panoptic results, only: '
            f'{", ".join(kinds) or "none"}'
        )
    own = predictor.meta['classes']
    return [
        s._replace(label=classes.index(own[s.label]))
        for s in kinds['panoptic']
    ]


def draw(
    image: np.ndarray,
    name: str,
    known: list[Segment],
    found: list[Panel],
    meta: dict,
    out: Path,
) -> None:
    """Writes the pictures of one image.

    Args:
        image: see :meth:`Predictor.read`.
        name: of the pictures.
        known: ground truth.
        found: results of the models.
        meta: classes of the data set.
        out: folder of the pictures.
    """
    panels = [Panel('ground truth', known), *found]
    whole = draw_panoptic(
        image, panels, meta['classes'], meta['thing_classes']
    )
    mmcv.imwrite(whole, str(out / 'panoptic' / name))
    thing = draw_thing(
        image,
        only_things(known, meta),
        [Panel(name, only_things(s, meta)) for name, s in found],
    )
    if thing is not None:
        mmcv.imwrite(thing, str(out / 'things' / name))


def annotated(
    images: Sequence[Path], truth: GroundTruth, predictor: Predictor
) -> Iterator[tuple[Path, np.ndarray, list[Segment]]]:
    """Path, pixels and ground truth of each image that has any.

    Args:
        images: those whose names are annotated.
        truth: the annotations.
        predictor: reads the images.

    Raises:
        UserError: after the last, if no image has its annotated size.
    """
    other_size = []
    for path in tqdm(images, unit='image', disable=None):
        image = predictor.read(path)
        size = (image.shape[0], image.shape[1])
        image_id = truth.find(path, size)
        if image_id is None:
            other_size.append(path)
        else:
            yield path, image, truth.segments(image_id, size)
    if len(other_size) == len(images):
        raise UserError(
            f'{truth.ann_file} is of images of other sizes: '
            f'{other_size[0]} and {len(other_size) - 1} more'
        )
    for path in other_size:
        print(f'{path} is left out: it is annotated with another size')


def main() -> None:
    args = parse_args()
    if args.limit is not None and args.limit < 1:
        raise UserError(f'--limit must be 1 or more, got {args.limit}')
    if args.out.exists() and (
        args.out.is_file() or next(args.out.iterdir(), None)
    ):
        raise UserError(f'--out {args.out} exists and is not an empty folder')
    predictors = [
        build(args.config1, args.checkpoint1, args.device),
        build(args.config2, args.checkpoint2, args.device),
    ]
    meta = predictors[0].meta
    if set(predictors[1].meta['classes']) != set(meta['classes']):
        raise UserError('the two models have different classes')
    config = read_model_config(args.config1)
    truth = given_truth(args.ann, config, meta['classes'])
    images = [p for p in find_images(args.input) if truth.find(p) is not None]
    if not images:
        raise UserError(f'{args.ann} has no image of {args.input}')
    root = args.input if args.input.is_dir() else args.input.parent
    with atomic_path(args.out) as part:
        scenes = annotated(images, truth, predictors[0])
        for path, image, known in itertools.islice(scenes, args.limit):
            size = (image.shape[0], image.shape[1])
            found = [
                Panel(
                    title,
                    panoptic_segments(path, model, size, meta['classes']),
                )
                for title, model in zip(args.names, predictors, strict=True)
            ]
            name = path.relative_to(root).as_posix()
            draw(image, name, known, found, meta, part)


if __name__ == '__main__':
    run(main)
