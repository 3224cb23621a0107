"""Draws mask precision-recall and loss curves of finished runs."""

import argparse
import contextlib
import csv
import io
import itertools
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO

from mmseg_plugin.apis.runs import Run
from mmseg_plugin.cli.arguments import ToolParser
from mmseg_plugin.cli.cli import UserError, atomic_path, run
from mmseg_plugin.datasets.annotation_files import (
    completed_truth,
    image_sizes,
)
from mmseg_plugin.datasets.structure import read_json
from mmseg_plugin.evaluation.pr_curves import CURVES, MaskPR, mask_pr
from mmseg_plugin.visualization.plots import Curve, Panel, save_plot


def parse_args() -> argparse.Namespace:
    parser = ToolParser(
        description=__doc__,
        epilog='Each run is evaluated on its own validation images by its '
        'last checkpoint, once: the masks are kept in results.segm.json of '
        'the run. Writes pr_curves.png, pr_curves.csv, loss_curves.png, '
        'loss_curves.csv and metrics.json.',
    )
    parser.add_argument(
        'runs',
        nargs='+',
        type=Path,
        metavar='RUN',
        help='work_dir of a finished run',
    )
    parser.add_argument(
        '--out', type=Path, required=True, help='folder to write to'
    )
    parser.add_argument(
        '--losses',
        nargs='+',
        default=['loss'],
        metavar='NAME',
        help='logged training values to draw (default: loss)',
    )
    return parser.parse_args()


def label_runs(folders: list[Path]) -> dict[str, Path]:
    """Names folders by as many trailing parts as tell them apart."""
    paths = list(dict.fromkeys(folder.resolve() for folder in folders))
    depth = 1
    while True:
        labels = ['/'.join(path.parts[-depth:]) for path in paths]
        if len(set(labels)) == len(labels):
            return dict(zip(labels, paths, strict=True))
        depth += 1


def read_truth(file: Path) -> COCO:
    """An annotation file as pycocotools judges it rightly.

    Objects without a mask are there to be found and never are.

    Raises:
        UserError: it cannot be read.
    """
    try:
        content = completed_truth(read_json(str(file)), file)
        sizes = image_sizes(content, file)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = error if isinstance(error, ValueError) else repr(error)
        raise UserError(
            f'{file} cannot be read as COCO annotations: {reason}'
        ) from error
    for annotation in content['annotations']:
        if 'segmentation' not in annotation:
            size = sizes[annotation['image_id']]
            nothing = {'size': list(size), 'counts': [size[0] * size[1]]}
            annotation['segmentation'] = nothing
    truth = COCO()
    truth.dataset = content
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
    return truth


def evaluate(work_dir: Run) -> MaskPR:
    truth = read_truth(work_dir.ann_file)
    try:
        return mask_pr(
            truth, work_dir.results(), work_dir.classes, work_dir.max_dets
        )
    except ValueError as error:
        raise UserError(
            f'{work_dir.folder}/results.segm.json does not fit: {error}'
        ) from error


def smooth(values: np.ndarray) -> np.ndarray:
    """Running mean over a twentieth of the curve to both sides of a point."""
    reach = max(len(values) // 20, 1)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    place = np.arange(len(values))
    start = np.maximum(place - reach, 0)
    stop = np.minimum(place + reach + 1, len(values))
    return (sums[stop] - sums[start]) / (stop - start)


def write_csv(path: Path, header: list[str], rows: Iterable[tuple]) -> None:
    with atomic_path(path) as part, part.open('w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def save_pr_curves(found: dict[str, MaskPR], out: Path) -> None:
    metric_of = {'0.5': 'AP50', '0.75': 'AP75', '0.5:0.95': 'AP'}
    panels = [
        Panel(
            f'masks, IoU {iou}',
            'recall',
            'precision',
            [
                Curve(
                    f'{label} ({name} {pr.metrics[name]:.3f})',
                    pr.recall,
                    pr.precision[iou],
                )
                for label, pr in found.items()
            ],
        )
        for iou, name in metric_of.items()
    ]
    with atomic_path(out / 'pr_curves.png') as part:
        save_plot(panels, part)
    write_csv(
        out / 'pr_curves.csv',
        ['run', 'iou', 'recall', 'precision'],
        (
            (label, iou, f'{recall:.2f}', precision)
            for label, pr in found.items()
            for iou in CURVES
            for recall, precision in zip(
                pr.recall, pr.precision[iou], strict=True
            )
        ),
    )


def save_loss_curves(
    runs: dict[str, Run], names: list[str], out: Path
) -> None:
    panels, rows = [], []
    for name in names:
        curves = []
        for label, work_dir in runs.items():
            steps, values = work_dir.scalars(name)
            curves.append(Curve(label, steps, smooth(values), values))
            points = zip(steps, values, curves[-1].y, strict=True)
            rows += [(label, name, *point) for point in points]
        panels.append(Panel('training', 'step', name, curves))
    with atomic_path(out / 'loss_curves.png') as part:
        save_plot(panels, part)
    write_csv(
        out / 'loss_curves.csv',
        ['run', 'name', 'step', 'raw', 'smoothed'],
        rows,
    )


def main() -> None:
    args = parse_args()
    runs = {
        label: Run(folder) for label, folder in label_runs(args.runs).items()
    }
    # Evaluation takes minutes: what can fail at once does so before.
    for work_dir, name in itertools.product(runs.values(), args.losses):
        work_dir.scalars(name)
    found = {label: evaluate(work_dir) for label, work_dir in runs.items()}
    save_loss_curves(runs, args.losses, args.out)
    save_pr_curves(found, args.out)
    metrics = {
        label: {**pr.metrics, 'max_dets': runs[label].max_dets}
        for label, pr in found.items()
    }
    with atomic_path(args.out / 'metrics.json') as part:
        part.write_text(json.dumps(metrics, indent=1))
    for label, pr in found.items():
        values = '  '.join(f'{k} {v:.3f}' for k, v in pr.metrics.items())
        number = runs[label].max_dets
        print(f'{label:24} {values}  (at {number} detections an image, class)')
    print(f'curves: {args.out}')


if __name__ == '__main__':
    run(main)
