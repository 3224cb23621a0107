"""Draws what a model finds in images, and writes it as COCO results."""

import argparse
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from tqdm import tqdm

from mmseg_plugin.apis.data_parts import data_parts, given_truth
from mmseg_plugin.apis.ground_truth import GroundTruth
from mmseg_plugin.apis.predictor import find_images
from mmseg_plugin.apis.segments import Segment, coco_results
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, atomic_path, run
from mmseg_plugin.engine.kept_results import (
    KeptResults,
    meet,
    processes,
    write_lists,
)
from mmseg_plugin.segmenter import Segmentation, Segmenter, check_tiles
from mmseg_plugin.utils.words import counted
from mmseg_plugin.visualization.panels import draw_panels, scored_panels
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
        'frames, from 0. The images of a folder are shared by the processes '
        'of torchrun; until all are done OUT is called OUT.part, and the '
        'same command goes on where it was stopped.',
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
    _add_model_options(parser)
    # Options may stand between the words, of which the second may be missing.
    return parser.parse_intermixed_args()


def _add_model_options(parser: ToolParser) -> None:
    """How the model looks at an image."""
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
    """Draws the results of one image after another.

    Args:
        folder: gets the pictures.
        classes: names of the model's classes.
        truths: annotations, if there are any.
        score_thr: instances that score less are not drawn.
        asked: whether the user named the annotations.
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

    def _look_up(
        self, path: Path, name: str, size: tuple[int, int]
    ) -> tuple[int | str, Sequence[int], list[Segment] | None, str | None]:
        """Image id, category ids, the ground truth or why there is none."""
        category_ids: Sequence[int] = range(len(self.classes))
        if len(self.truths) == 1:
            category_ids = self.truths[0].category_ids
        found = [
            (truth, image_id)
            for truth in self.truths
            if (image_id := truth.find(path, size)) is not None
        ]
        if len(found) != 1:
            why = None
            if any(truth.find(path) is not None for truth in self.truths):
                why = f'annotated with a size other than {size[1]}x{size[0]}'
            return name, category_ids, None, why
        ((truth, image_id),) = found
        try:
            known = truth.segments(image_id, size)
        except UserError as error:
            if self.asked:
                raise
            return image_id, truth.category_ids, None, str(error)
        return image_id, truth.category_ids, known, None

    def add(
        self,
        path: Path,
        name: str,
        image: np.ndarray,
        found: dict[str, list[Segment]],
    ) -> dict:
        """Draws one image.

        Args:
            path: where it was read, to find its annotations.
            name: name of the picture, below ``folder``.
            image: see :meth:`Predictor.read`.
            found: segments of each kind that the model gives.

        Returns:
            Rows of each kind in COCO's results format, and why the picture
            has no ground truth.
        """
        size = (image.shape[0], image.shape[1])
        image_id, ids, known, why = self._look_up(path, name, size)
        panels = {} if known is None else {'ground truth': known}
        rows = {}
        for kind, segments in found.items():
            rows[kind] = coco_results(
                segments, image_id, ids, self.classes, size
            )
        panels |= scored_panels(found, self.score_thr)
        drawn = draw_panels(image, panels, self.classes, known is not None)
        mmcv.imwrite(drawn, str(self.folder / name))
        return {'rows': rows, 'without_truth': why}


def asked_of(args: argparse.Namespace) -> dict:
    """What the results depend on; of files also when they were written."""
    found = {}
    for key, value in vars(args).items():
        if key not in ('out', 'device', 'batch_size', 'limit'):
            found[key] = None if value is None else str(value)
    for key in ('config', 'checkpoint', 'ann'):
        path = Path(str(found[key]))
        if path.is_file():
            found[key] = f'{path} of {path.stat().st_mtime_ns}'
    return found


def predict_images(
    args: argparse.Namespace, segmenter: Segmenter, share: tuple[int, int]
) -> str:
    """Draws and collects the results of images; what to print of it.

    Args:
        args: see :func:`parse_args`.
        segmenter: the model.
        share: number of this process, and how many there are.

    Raises:
        UserError: an image or its annotations cannot be used.
        ValueError: OUT.part holds results of something else.
    """
    rank, count = share
    images = input_images(args.input, args.limit, args.out)
    root = args.input if args.input.is_dir() else args.input.parent
    names = {path: path.relative_to(root).as_posix() for path in images}
    classes = list(segmenter.classes)
    truths = ground_truths(args.ann, segmenter.config, classes)
    kept = KeptResults(args.out, asked_of(args), rank)
    results = Results(
        *(kept.folder / 'drawn', classes, truths, args.score_thr),
        asked=args.ann is not None,
    )
    # By place, not by what is left: another process may be ahead.
    todo = [path for path in images[rank::count] if not kept.has(names[path])]
    if len(todo) < len(images[rank::count]):
        print(f'{kept.folder}: {counted(len(todo), "image")} left to do')
    found = segmenter.stream(todo, args.tile, args.overlap, args.batch_size)
    # None: shown on terminals.
    hidden = True if rank else None
    bar = tqdm(found, 'predict', len(todo), unit='image', disable=hidden)
    try:
        for path, one in zip(todo, bar, strict=True):
            record = results.add(path, names[path], one.image, one.segments)
            kept.keep(names[path], record)
    except UserError as error:
        if not (done := kept.count()):
            raise
        raise UserError(
            f'{error}; {done} images are done and kept in {kept.folder}, the '
            'same command goes on with them'
        ) from error
    meet()
    if rank == 0:
        records = kept.records(list(names.values()))
        write_lists(kept.folder, _without_reasons(records, names.values()))
        kept.finish()
    return counted(len(images), 'image')


def _without_reasons(
    records: Iterator[dict], names: Iterable[str]
) -> Iterator[dict]:
    """The rows of each record; prints the first reasons that are in them."""
    count = 0
    for name, record in zip(names, records, strict=True):
        if reason := record['without_truth']:
            count += 1
            if count <= _MOST_REASONS:
                print(f'{name} is drawn without ground truth: {reason}')
        yield record['rows']
    if count > _MOST_REASONS:
        count -= _MOST_REASONS
        print(f'... and {count} more images without ground truth')


def predict_video(
    args: argparse.Namespace, segmenter: Segmenter, folder: Path
) -> str:
    """Draws and collects the results of a video; what to print of it."""
    video = Video(args.input)
    classes, ids = segmenter.classes, range(len(segmenter.classes))
    total = len(video) if args.limit is None else args.limit
    frames = islice(video.frames(), args.limit)
    bar = tqdm(frames, 'predict', total, unit='frame', disable=None)
    count = 0

    def rows_of_frames() -> Iterator[dict[str, list[dict]]]:
        nonlocal count
        for number, frame in enumerate(bar):
            one = segmenter(frame, args.tile, args.overlap)
            assert isinstance(one, Segmentation)
            picture = one.plot(score_thr=args.score_thr)
            sink.add(np.ascontiguousarray(picture[..., ::-1]))
            count = number + 1
            yield {
                kind: coco_results(segments, number, ids, classes, one.size)
                for kind, segments in one.segments.items()
            }

    with video_sink(folder / f'{args.input.stem}.mp4', video.fps) as sink:
        write_lists(folder, rows_of_frames())
    return counted(count, 'frame')


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
    with processes() as share:
        if is_video and share[1] > 1:
            raise UserError('a video is for one process, without torchrun')
        device = args.device
        if device is None and torch.cuda.is_available():
            device = f'cuda:{os.environ.get("LOCAL_RANK", "0")}'
        model = Segmenter(args.config, args.checkpoint, device, args.half)
        if is_video:
            with atomic_path(args.out) as part:
                part.mkdir()
                done = predict_video(args, model, part)
        else:
            done = predict_images(args, model, share)
    if share[0] == 0:
        print(f'{done}: {args.out}')


if __name__ == '__main__':
    run(main)
