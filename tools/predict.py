"""Draws what a model finds in images, and writes it as COCO results."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from tqdm import tqdm

from mmseg_plugin.apis.ground_truth import GroundTruth
from mmseg_plugin.apis.predictor import Predictor, find_images, read_image
from mmseg_plugin.apis.segments import Segment, coco_results, segments_of
from mmseg_plugin.apis.tiling import TiledPredictor
from mmseg_plugin.cli.cli import UserError, atomic_path, run
from mmseg_plugin.cli.configs import read_model_config
from mmseg_plugin.visualization.drawing import draw_segments

_LEAST_TILE = 32


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
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


def ground_truth(
    ann: Path | None, config: Config, classes: list[str]
) -> GroundTruth | None:
    """The given annotations; else those of the config's test data or none."""
    if ann is not None:
        return GroundTruth(ann, classes)
    dataset = config.test_dataloader.dataset
    own = Path(dataset.get('data_root') or '', dataset.get('ann_file') or '')
    try:
        return GroundTruth(own, classes) if own.is_file() else None
    except UserError:
        # Nobody asked for it: do without.
        return None


class Results:
    """Draws the results of one image after another and collects them.

    Args:
        folder: gets the pictures.
        classes: names of the model's classes.
        truth: annotations, if there are any.
        score_thr: instances that score less are not drawn.
    """

    def __init__(
        self,
        folder: Path,
        classes: list[str],
        truth: GroundTruth | None,
        score_thr: float,
    ) -> None:
        self.folder = folder
        self.classes = classes
        self.truth = truth
        self.score_thr = score_thr
        self.category_ids = (
            truth.category_ids if truth else range(len(classes))
        )
        self.rows: dict[str, list[dict]] = {}

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
            image: BGR, shape (h, w, 3).
            found: segments of each kind that the model gives.
        """
        panels = {}
        image_id: int | str | None = None
        if self.truth is not None:
            image_id = self.truth.find(path)
            if image_id is not None:
                panels['ground truth'] = self.truth.segments(image_id)
        for kind, segments in found.items():
            panels[kind] = [
                s
                for s in segments
                if s.score is None or s.score >= self.score_thr
            ]
            self.rows.setdefault(kind, []).extend(
                coco_results(
                    segments,
                    name if image_id is None else image_id,
                    self.category_ids,
                    self.classes,
                    image.shape[:2],
                )
            )
        drawn = [
            draw_segments(image, segments, self.classes, title)
            for title, segments in panels.items()
        ]
        mmcv.imwrite(np.concatenate(drawn, axis=1), str(self.folder / name))


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
    truth = ground_truth(args.ann, config, classes)
    segment = segmenter(args, predictor)
    root = args.input if args.input.is_dir() else args.input.parent
    with atomic_path(args.out) as part:
        results = Results(part / 'drawn', classes, truth, args.score_thr)
        for path in tqdm(images, desc='predict', unit='image'):
            image = read_image(path)
            name = path.relative_to(root).as_posix()
            results.add(path, name, image, segment(image))
        for kind, rows in results.rows.items():
            (part / f'{kind}.json').write_text(json.dumps(rows))
    print(f'{len(images)} images: {args.out}')


if __name__ == '__main__':
    run(main)
