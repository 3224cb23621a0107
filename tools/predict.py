"""Draws what a model finds in images, and writes it as COCO results."""

import argparse
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import mmcv
import numpy as np
from mmengine.config import Config
from tqdm import tqdm

from mmseg_plugin.apis.data_parts import data_parts, given_truth
from mmseg_plugin.apis.ground_truth import GroundTruth
from mmseg_plugin.apis.predictor import find_images
from mmseg_plugin.apis.segments import Segment, coco_results
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, atomic_path, run
from mmseg_plugin.segmenter import Segmentation, Segmenter, check_tiles
from mmseg_plugin.visualization.panels import draw_panels
from mmseg_plugin.visualization.video import (
    VIDEO_SUFFIXES,
    Video,
    video_sink,
)

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
        'names and class indices; a segment without a score has score 1. Of '
        'a video OUT/<video>.mp4 is drawn, and image ids are numbers of '
        'frames, from 0.',
    )
    parser.add_argument(
        'config',
        help='work_dir of a run, or path or name of a shipped config',
    )
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='weights, file or URL; of a run the best or last by default',
    )
    parser.add_argument(
        'input', type=Path, help='image, folder of images, or video'
    )
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
        '--batch-size', type=int, default=1, help='images of one size at once'
    )
    parser.add_argument(
        '--half', action='store_true', help='16 bits where autocast allows'
    )
    parser.add_argument('--device', help='default: a GPU where there is one')
    # Options may stand between the words, of which the second may be missing.
    return parser.parse_intermixed_args()


def input_images(source: Path, limit: int | None, out: Path) -> list[Path]:
    if limit is not None and limit < 1:
        raise UserError(f'--limit must be 1 or more, got {limit}')
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise UserError(
            f'--out {out} lies in the input folder {source}; the pictures '
            'would be taken for input the next time'
        )
    return find_images(source)[:limit]


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


def predict_images(
    args: argparse.Namespace, segmenter: Segmenter, folder: Path
) -> str:
    """Draws and collects the results of images; what to print of it."""
    images = input_images(args.input, args.limit, args.out)
    classes = list(segmenter.classes)
    results = Results(
        folder / 'drawn',
        classes,
        ground_truths(args.ann, segmenter.config, classes),
        args.score_thr,
        asked=args.ann is not None,
    )
    root = args.input if args.input.is_dir() else args.input.parent
    found = segmenter.stream(images, args.tile, args.overlap, args.batch_size)
    for path, one in zip(
        images, tqdm(found, 'predict', len(images), unit='image'), strict=True
    ):
        name = path.relative_to(root).as_posix()
        results.add(path, name, one.image, one.segments)
    write_rows(folder, results.rows)
    for name, reason in list(results.without_truth.items())[:_MOST_REASONS]:
        print(f'{name} is drawn without ground truth: {reason}')
    more = len(results.without_truth) - _MOST_REASONS
    if more > 0:
        print(f'... and {more} more images without ground truth')
    return f'{len(images)} images'


def predict_video(
    args: argparse.Namespace, segmenter: Segmenter, folder: Path
) -> str:
    """Draws and collects the results of a video; what to print of it."""
    video = Video(args.input)
    rows: dict[str, list[dict]] = {}
    classes, ids = segmenter.classes, range(len(segmenter.classes))
    total = len(video) if args.limit is None else args.limit
    frames = islice(video.frames(), args.limit)
    count = 0
    with video_sink(folder / f'{args.input.stem}.mp4', video.fps) as sink:
        for frame in tqdm(frames, 'predict', total, unit='frame'):
            one = segmenter(frame, args.tile, args.overlap)
            assert isinstance(one, Segmentation)
            for kind, segments in one.segments.items():
                rows.setdefault(kind, []).extend(
                    coco_results(segments, count, ids, classes, one.size)
                )
            picture = one.plot(score_thr=args.score_thr)
            sink.add(np.ascontiguousarray(picture[..., ::-1]))
            count += 1
    write_rows(folder, rows)
    return f'{count} frames'


def write_rows(folder: Path, found: dict[str, list[dict]]) -> None:
    """Writes one JSON file a kind of result."""
    for kind, rows in found.items():
        (folder / f'{kind}.json').write_text(json.dumps(rows))


def main() -> None:
    args = parse_args()
    if args.tile is not None or args.overlap is not None:
        check_tiles(args.tile, args.overlap)
    is_video = args.input.suffix.lower() in VIDEO_SUFFIXES
    if is_video and args.ann:
        raise UserError('--ann is for images; a video has no annotations')
    if is_video:
        Video(args.input)
    else:
        input_images(args.input, args.limit, args.out)
    if args.out.exists() and (
        args.out.is_file() or next(args.out.iterdir(), None)
    ):
        raise UserError(f'--out {args.out} exists and is not an empty folder')
    segmenter = Segmenter(args.config, args.checkpoint, args.device, args.half)
    predict = predict_video if is_video else predict_images
    with atomic_path(args.out) as part:
        part.mkdir()
        done = predict(args, segmenter, part)
    print(f'{done}: {args.out}')


if __name__ == '__main__':
    run(main)
