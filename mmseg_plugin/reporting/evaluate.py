"""Runs the model of a run on its validation images, once."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from tqdm import tqdm

from mmseg_plugin.apis.ground_truth import GroundTruth
from mmseg_plugin.apis.predictor import Predictor
from mmseg_plugin.apis.segments import Segment, regions_of, segments_of
from mmseg_plugin.cli.cli import UserError, atomic_path
from mmseg_plugin.datasets.category_crop_pairs import located
from mmseg_plugin.reporting.records import (
    KINDS,
    ImageRecord,
    Judged,
    Region,
    region_of,
)
from mmseg_plugin.reporting.run_files import REPORT, RunFiles

_METRICS = {
    'CocoMetric': 'instances',
    'CocoInstanceMetric': 'instances',
    'CocoPanopticMetric': 'panoptic',
    'IoUMetric': 'semantic',
    'SemSegMetric': 'semantic',
}


def evaluators_of(config: Config) -> dict[str, dict]:
    """Kind of result to the config of the metric that judges it."""
    found = config.get('val_evaluator') or []
    found = [found] if isinstance(found, dict) else found
    kinds = {}
    for evaluator in found:
        name = str(evaluator.get('type', '')).rpartition('.')[2]
        if kind := _METRICS.get(name):
            judged = np.atleast_1d(evaluator.get('metric', 'bbox'))
            if kind != 'instances' or 'segm' in judged:
                kinds[kind] = evaluator
    return kinds


def evaluate(run: RunFiles, limit: int, device: str) -> list[Judged]:
    """What the run's checkpoint finds, kept for the next report.

    Args:
        run: with a checkpoint.
        limit: images at most, evenly over the data set.
        device: for instance ``'cpu'``.

    Raises:
        UserError: the data cannot be found, or the checkpoint cannot be
            used.
    """
    if run.checkpoint is None:
        raise UserError(f'run {run.folder} has no checkpoint')
    kinds = evaluators_of(run.config)
    if not kinds:
        raise UserError(f'run {run.folder} is not judged by masks')
    path = run.folder / REPORT / 'predictions.json'
    key = {
        'checkpoint': run.checkpoint.name,
        'modified': run.checkpoint.stat().st_mtime,
        'limit': limit,
    }
    if path.is_file():
        kept = json.loads(path.read_text(encoding='utf-8'))
        if kept['key'] == key:
            return [_from_json(part) for part in kept['judged']]
    judged = _predict(run, kinds, limit, device)
    with atomic_path(path) as part:
        kept = {'key': key, 'judged': [_to_json(j) for j in judged]}
        part.write_text(json.dumps(kept), encoding='utf-8')
    return judged


def _predict(
    run: RunFiles, kinds: dict[str, dict], limit: int, device: str
) -> list[Judged]:
    config = run.config.copy()
    config.test_dataloader = config.val_dataloader
    init_default_scope(config.get('default_scope', 'mmdet'))
    try:
        data = DATASETS.build(config.val_dataloader.dataset)
    except FileNotFoundError as error:
        raise UserError(
            f'{error.filename or error} cannot be found; start where run '
            f'{run.folder} was started'
        ) from error
    predictor = Predictor(config, str(run.checkpoint), device)
    classes = tuple(predictor.meta['classes'])
    numbers = _spread(len(data), limit)
    truths = {
        kind: Truth(kind, evaluator, data, classes)
        for kind, evaluator in kinds.items()
    }
    records: dict[str, list[ImageRecord]] = {kind: [] for kind in truths}
    said = f'{run.name}: predicting'
    # Only where somebody looks at a terminal.
    for number in tqdm(numbers, desc=said, unit='image', disable=None):
        info = data.get_data_info(number)
        image = predictor.read(Path(info['img_path']))
        size = (int(image.shape[0]), int(image.shape[1]))
        results = segments_of(predictor(image), len(classes))
        for kind, truth in truths.items():
            if kind in results:
                record = ImageRecord(
                    str(info.get('img_id', number)), info['img_path'], size
                )
                record.found = list(_regions(results[kind], size))
                record.truth = list(_regions(truth.of(number, size), size))
                records[kind].append(record)
    return [
        Judged(kind, classes, records[kind], _max_dets(kinds[kind]))
        for kind in KINDS
        if records.get(kind)
    ]


def _max_dets(evaluator: dict) -> int:
    return max(evaluator.get('proposal_nums') or (100, 300, 1000))


def _spread(count: int, limit: int) -> list[int]:
    """At most ``limit`` of ``count`` numbers, evenly."""
    if limit <= 0 or count <= limit:
        return list(range(count))
    return np.linspace(0, count - 1, limit).round().astype(int).tolist()


def _regions(
    segments: Iterable[Segment], size: tuple[int, int]
) -> Iterator[Region]:
    for segment in segments:
        if region := region_of(segment, size):
            yield region


class Truth:
    """Annotations of the images of a data set, or of several joined.

    Args:
        kind: of :data:`KINDS`.
        evaluator: config of the metric, which names the file.
        data: the built data set.
        classes: names of the labels.
    """

    def __init__(
        self, kind: str, evaluator: dict, data: Any, classes: tuple[str, ...]
    ) -> None:
        self.kind = kind
        self.evaluator = evaluator
        self.data = data
        self.classes = classes
        self._files: dict[str, GroundTruth] = {}

    def _file(self, data: Any) -> GroundTruth:
        """The annotation file of a plain data set."""
        file = self.evaluator.get('ann_file') or data.ann_file
        if file not in self._files:
            maps = self.evaluator.get('seg_prefix')
            if self.kind == 'panoptic' and maps is None:
                maps = data.data_prefix.get('seg')
            images = data.data_prefix.get('img')
            self._files[file] = GroundTruth(
                *(Path(file), self.classes, Path(images) if images else None),
                maps=Path(maps) if maps else None,
            )
        return self._files[file]

    def of(self, number: int, size: tuple[int, int]) -> list[Segment]:
        """Segments of an image.

        Args:
            number: of the image in the data set.
            size: height and width.
        """
        if self.kind != 'semantic':
            data, place = located(self.data, number)
            path = Path(data.get_data_info(place)['img_path'])
            file = self._file(data)
            found = file.find(path, size)
            return [] if found is None else file.segments(found, size)
        sample = self.data[number]['data_samples']
        labels = sample.gt_sem_seg
        ids = labels.sem_seg if 'sem_seg' in labels else labels.data
        return regions_of(ids[0].numpy().astype(int), len(self.classes))


def _to_json(judged: Judged) -> dict:
    def regions(found: list[Region]) -> list:
        return [
            [
                *(r.label, r.score, int(r.crowd), r.rle['size']),
                r.rle['counts'].decode(),
            ]
            for r in found
        ]

    images = [
        [i.id, i.path, i.size, regions(i.truth), regions(i.found)]
        for i in judged.images
    ]
    return {
        'kind': judged.kind,
        'classes': judged.classes,
        'max_dets': judged.max_dets,
        'images': images,
    }


def _from_json(kept: dict) -> Judged:
    def regions(rows: list) -> list[Region]:
        return [
            Region(
                label,
                {'size': size, 'counts': counts.encode()},
                score,
                bool(crowd),
            )
            for label, score, crowd, size, counts in rows
        ]

    images = [
        ImageRecord(i, path, tuple(size), regions(truth), regions(found))
        for i, path, size, truth, found in kept['images']
    ]
    return Judged(
        kept['kind'], tuple(kept['classes']), images, kept['max_dets']
    )
