"""Draws what a model finds in images, and writes it as COCO results."""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from tqdm import tqdm

from mmseg_plugin.apis.data_parts import data_parts, given_truth
from mmseg_plugin.apis.ground_truth import GroundTruth
from mmseg_plugin.apis.predictor import Predictor, find_images
from mmseg_plugin.apis.segments import Segment, coco_results, segments_of
from mmseg_plugin.apis.tiling import TiledPredictor
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, atomic_path, run
from mmseg_plugin.cli.configs import read_model_config
from mmseg_plugin.visualization.panels import draw_panels

_LEAST_TILE = 32
# Images that are named one by one in what is printed.
_MOST_REASONS = 5


def parse_args() -> argparse.Namespace:
    parser = ToolParser(
        description=__doc__,
        epilog='Writes OUT/drawn/<image> (ground truth, if there is any, and '
        'results side by side) and, as the model gives them, '
        'OUT/instances.json, OUT/panoptic.json and OUT/semantic.json: lists '
        'in the COCO results format with compressed RLE. Image and category '
        'ids are those of the annotations where there are any, else file '
        'names and class indices; a segment without a score has score 1.',
    )
    parser.add_argument('config', help='path or name of a shipped config')
    parser.add_argument('checkpoint', help='weights, file or URL')
    parser.add_argument('input', type=Path, help='image or folder of images')
    parser.add_argument(
        '--out', type=Path, required=True, help='new or empty folder'
    )
    parser.add_argument(
        '--ann',
        type=Path,
        help="COCO instances or panoptic file (default: that of the config's "
        'test data, if it can be found)',
    )
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.3,
        help='draw instances from this score on; the JSON has all '
        '(default: 0.3)',
    )
    parser.add_argument(
        '--limit', type=int, help='take the first LIMIT images only'
    )
    parser.add_argument(
        '--tile',
        type=int,
        metavar='SIZE',
        help='look at tiles of this many pixels, and at the whole image '
        'shrunk to that size; an object on a seam is returned once',
    )
    parser.add_argument(
        '--overlap',
        type=int,
        metavar='N',
        help='pixels that neighbouring tiles share; objects up to this size '
        'are whole in some tile (default: a quarter of the tile)',
    )
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    return parser.parse_args()


def input_images(source: Path, limit: int | None, out: Path) -> list[Path]:
    if limit is not None and limit < 1:
        raise UserError(f'--limit must be 1 or more, got {limit}')
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise UserError(
            f'--out {out} lies in the input folder {source}; the pictures '
            'would be taken for input the next time'
        )
    return find_images(source)[:limit]


def segmenter(
    args: argparse.Namespace, predictor: Predictor
) -> Callable[[np.ndarray], dict[str, list[Segment]]]:
    """Gives the segments of an image, in tiles if the user wants that."""
    num_classes = len(predictor.meta['classes'])
    if args.tile is None:
        return lambda image: segments_of(predictor(image), num_classes)
    return TiledPredictor(predictor, num_classes, args.tile, args.overlap)


def check_tiles(args: argparse.Namespace) -> None:
    """Refuses tiles that cannot be, and sets the default overlap."""
    if args.tile is None:
        if args.overlap is not None:
            raise UserError('--overlap is for tiles: give --tile SIZE too')
        return
    if args.tile < _LEAST_TILE:
        raise UserError(
            f'--tile must be {_LEAST_TILE} pixels or more, got {args.tile}'
        )
    if args.overlap is None:
        args.overlap = args.tile // 4
    if not 0 <= args.overlap < args.tile:
        raise UserError(
            f'--overlap must be from 0 to {args.tile - 1}, less than --tile, '
            f'got {args.overlap}'
        )


def ground_truths(
    ann: Path | None, config: Config, classes: list[str]
) -> list[GroundTruth]:
    """The given annotations; else those of the config's test data or none."""
    if ann is not None:
        return [given_truth(ann, config, classes)]
    found = []
    for part in data_parts(config, 'test'):
        if part.ann_file.is_file():
            try:
                found.append(part.ground_truth(classes))
            except UserError as error:
                # Nobody asked for it.
                print(f'drawn without ground truth: {error}')
    return found


class Results:
    """Draws the results of one image after another and collects them.

    Args:
        folder: gets the pictures.
        classes: names of the model's classes.
        truths: annotations, if there are any.
        score_thr: instances that score less are not drawn.
        asked: whether the user named the annotations.

    Attributes:
        without_truth: why pictures have no ground truth, by image.
    """

    def __init__(
        self,
        folder: Path,
        classes: list[str],
        truths: Sequence[GroundTruth],
        score_thr: float,
        asked: bool,
    ) -> None:
        self.folder = folder
        self.classes = classes
        self.truths = truths
        self.score_thr = score_thr
        self.asked = asked
        self.without_truth: dict[str, str] = {}
        self.rows: dict[str, list[dict]] = {}

    def _look_up(
        self, path: Path, name: str, size: tuple[int, int]
    ) -> tuple[int | str, Sequence[int], list[Segment] | None]:
        """Image id, ids of the categories, and the ground truth if any."""
        category_ids: Sequence[int] = range(len(self.classes))
        if len(self.truths) == 1:
            category_ids = self.truths[0].category_ids
        found = [
            (truth, image_id)
            for truth in self.truths
            if (image_id := truth.find(path, size)) is not None
        ]
        if len(found) != 1:
            if any(truth.find(path) is not None for truth in self.truths):
                self.without_truth[name] = (
                    f'annotated with a size other than {size[1]}x{size[0]}'
                )
            return name, category_ids, None
        ((truth, image_id),) = found
        known = None
        try:
            known = truth.segments(image_id, size)
        except UserError as error:
            if self.asked:
                raise
            self.without_truth[name] = str(error)
        return image_id, truth.category_ids, known

    def add(
        self,
        path: Path,
        name: str,
        image: np.ndarray,
        found: dict[str, list[Segment]],
    ) -> None:
        """Takes over one image.

        Args:
            path: where it was read, to find its annotations.
            name: name of the picture, below ``folder``.
            image: see :meth:`Predictor.read`.
            found: segments of each kind that the model gives.
        """
        size = (image.shape[0], image.shape[1])
        image_id, category_ids, known = self._look_up(path, name, size)
        panels = {} if known is None else {'ground truth': known}
        for kind, segments in found.items():
            panels[kind] = [
                s
                for s in segments
                if s.score is None or s.score >= self.score_thr
            ]
            self.rows.setdefault(kind, []).extend(
                coco_results(
                    segments,
                    image_id,
                    category_ids,
                    self.classes,
                    size,
                )
            )
        drawn = draw_panels(image, panels, self.classes, known is not None)
        mmcv.imwrite(drawn, str(self.folder / name))


def main() -> None:
    args = parse_args()
    check_tiles(args)
    images = input_images(args.input, args.limit, args.out)
    if args.out.exists() and (
        args.out.is_file() or next(args.out.iterdir(), None)
    ):
        raise UserError(f'--out {args.out} exists and is not an empty folder')
    config = read_model_config(args.config)
    predictor = Predictor(config, args.checkpoint, args.device)
    classes = list(predictor.meta['classes'])
    truths = ground_truths(args.ann, config, classes)
    segment = segmenter(args, predictor)
    root = args.input if args.input.is_dir() else args.input.parent
    with atomic_path(args.out) as part:
        results = Results(
            part / 'drawn',
            classes,
            truths,
            args.score_thr,
            asked=args.ann is not None,
        )
        for path in tqdm(images, desc='predict', unit='image'):
            image = predictor.read(path)
            name = path.relative_to(root).as_posix()
            results.add(path, name, image, segment(image))
        for kind, rows in results.rows.items():
            (part / f'{kind}.json').write_text(json.dumps(rows))
    for name, reason in list(results.without_truth.items())[:_MOST_REASONS]:
        print(f'{name} is drawn without ground truth: {reason}')
    more = len(results.without_truth) - _MOST_REASONS
    if more > 0:
        print(f'... and {more} more images without ground truth')
    print(f'{len(images)} images: {args.out}')


if __name__ == '__main__':
    run(main)
