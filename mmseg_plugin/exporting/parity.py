"""Compares an exported file with the model that it was made of."""

import csv
import io
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from mmengine.registry import DATASETS
from mmengine.structures import BaseDataElement

from mmseg_plugin.apis.predictor import Predictor
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import plain_data_sets
from mmseg_plugin.exporting.agreement import Compared, compare
from mmseg_plugin.exporting.session import OnnxModel, empty_sample


class Case(NamedTuple):
    """One image.

    Attributes:
        image: BGR, uint8 (h, w, 3).
        sample: with its ground truth; None without.
    """

    image: np.ndarray
    sample: BaseDataElement | None = None


class Parity(NamedTuple):
    """What became of some images.

    Attributes:
        outputs: by name.
        metrics: name to the values of torch and of the file.
    """

    outputs: dict[str, Compared]
    metrics: dict[str, tuple[float, float]]

    def faults(self, tolerance: float) -> list[str]:
        """Phrases about outputs that do not agree.

        Args:
            tolerance: most mean difference of scores; ten times that is the
                largest share of instances and pixels that may differ.
        """
        phrases = []
        share = 10 * tolerance
        for name, found in self.outputs.items():
            lost = (found.compared - found.matched) / max(found.compared, 1)
            if lost > share:
                phrases.append(f'{name}: {lost:.2%} do not agree')
            elif name == 'scores' and _mean(found.differences) > tolerance:
                phrases.append(
                    f'scores: {_mean(found.differences):.2g} apart in mean'
                )
            elif name == 'masks' and 1 - _mean(found.ious, 1.0) > share:
                phrases.append(f'masks: IoU {_mean(found.ious):.4f} in mean')
        return phrases

    def lines(self) -> list[str]:
        """What a user reads about it."""
        lines = [
            f'{name}: {found.matched} of {found.compared} agree, at most '
            f'{found.differences.max(initial=0):.2g} apart'
            for name, found in self.outputs.items()
        ]
        return lines + [
            f'{name}: {first:.4f} by torch, {second:.4f} by the file '
            f'({second - first:+.4f})'
            for name, (first, second) in self.metrics.items()
            if name.rpartition('/')[2] in _HEADLINES
            or name.endswith(('segm_mAP', 'bbox_mAP'))
        ]

    def table(self) -> list[dict[str, str]]:
        """Rows of :data:`COLUMNS`, the file's name left out."""
        rows = [
            {
                'output': name,
                'compared': str(found.compared),
                'matched': str(found.matched),
                'max_difference': f'{found.differences.max(initial=0):.3g}',
                'mean_difference': f'{_mean(found.differences):.3g}',
                'iou': f'{_mean(found.ious, 1.0):.6f}',
            }
            for name, found in self.outputs.items()
        ]
        for name, (first, second) in self.metrics.items():
            rows.append(
                {
                    'output': name,
                    'max_difference': f'{abs(first - second):.3g}',
                    'torch': f'{first:.4f}',
                    'onnx': f'{second:.4f}',
                }
            )
        return rows


# Metrics that are printed; the CSV has all.
_HEADLINES = ('PQ', 'mIoU')
COLUMNS = (
    *('file', 'output', 'compared', 'matched', 'max_difference'),
    *('mean_difference', 'iou', 'torch', 'onnx'),
)


def _mean(values: np.ndarray, empty: float = 0.0) -> float:
    return float(values.mean()) if len(values) else empty


def merged_csv(text: str, file: str, rows: Sequence[dict[str, str]]) -> str:
    """A ``parity.csv`` with the rows of one file in place of older ones.

    Args:
        text: content so far.
        file: name of the exported file.
        rows: see :meth:`Parity.table`.
    """
    old = [
        row
        for row in csv.DictReader(io.StringIO(text))
        if row.get('file') != file
    ]
    out = io.StringIO()
    writer = csv.DictWriter(
        out, COLUMNS, extrasaction='ignore', lineterminator='\n'
    )
    writer.writeheader()
    writer.writerows([*old, *({'file': file, **row} for row in rows)])
    return out.getvalue()


def plain_images(size: tuple[int, int]) -> Iterator[Case]:
    """A black and a white image: what is empty everywhere in them?"""
    for value in (0, 255):
        yield Case(np.full((*size, 3), value, np.uint8))


def validation_cases(
    config: Config, predictor: Predictor, limit: int
) -> list[Case]:
    """The first images of the validation set, with their ground truth.

    Raises:
        UserError: its files cannot be read.
    """
    data = next(plain_data_sets(config.val_dataloader.dataset))
    try:
        dataset = DATASETS.build({**data, 'test_mode': True})
        # What trained the model names the labels.
        samples = [
            dataset[i]['data_samples'] for i in range(min(limit, len(dataset)))
        ]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f'the validation set of {config.filename} cannot be read '
            f'({error}); start where it can be, or give --images'
        ) from error
    return [
        Case(predictor.read(Path(sample.img_path)), sample)
        for sample in samples
    ]


def training_images(
    config: Config, predictor: Predictor, limit: int
) -> list[np.ndarray]:
    """The first images of the training set.

    Raises:
        UserError: its files cannot be read.
    """
    data = next(plain_data_sets(config.train_dataloader.dataset))
    try:
        dataset = DATASETS.build({**data, 'pipeline': []})
        paths = [
            dataset.get_data_info(i)['img_path']
            for i in range(min(limit, len(dataset)))
        ]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f'the training set of {config.filename} cannot be read '
            f'({error}); start where it can be, or give --images'
        ) from error
    return [predictor.read(Path(path)) for path in paths]


def reference(
    network: Any, model: OnnxModel, image: np.ndarray
) -> BaseDataElement:
    """The results of torch for the input that the file gets.

    Args:
        network: the model, on the CPU.
        model: the exported file.
        image: BGR, uint8 (h, w, 3).
    """
    prepared, inside = model.recipe.prepare(image)
    _, meta = model.feed(image)
    sample = empty_sample(meta, model.meta['framework'])
    with torch.no_grad():
        if model.meta['framework'] == 'mmseg':
            return network.predict(prepared, [sample])[0].cpu()
        return network.predict(prepared, [sample], rescale=True)[0].cpu()


def run_parity(
    network: Any,
    model: OnnxModel,
    cases: Sequence[Case],
    config: Config,
) -> Parity:
    """Runs both on every image, and on a black and a white one.

    Args:
        network: the reference, on the CPU.
        model: the exported file.
        cases: images; those with ground truth are judged too.
        config: names the metrics.

    Raises:
        UserError: an output of the file is not finite.
    """
    outputs: dict[str, Compared] = {}
    pairs = []
    plain = plain_images(cases[0].image.shape[:2])
    for case in [*cases, *plain]:
        first = reference(network, model, case.image)
        second = model(case.image)
        _check_finite(second)
        for name, found in compare(first, second).items():
            before = outputs.get(name)
            outputs[name] = found if before is None else before + found
        if case.sample is not None:
            pairs.append((case.sample, first, second))
    metrics = {}
    if pairs and model.meta['results'] == 'original':
        values = [
            _judge(config, model, [(pair[0], pair[i]) for pair in pairs])
            for i in (1, 2)
        ]
        metrics = {key: (values[0][key], values[1][key]) for key in values[0]}
    return Parity(outputs, metrics)


def _check_finite(sample: BaseDataElement) -> None:
    if 'pred_instances' not in sample:
        return
    for key in ('scores', 'bboxes'):
        if not sample.pred_instances[key].isfinite().all():
            raise UserError(
                f'the exported file gives {key} that are no numbers'
            )


def _judge(
    config: Config,
    model: OnnxModel,
    pairs: Sequence[tuple[BaseDataElement, BaseDataElement]],
) -> dict[str, float]:
    """Metrics of the config over some images alone."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('WARNING')
    with tempfile.TemporaryDirectory() as folder:
        evaluators = config.val_evaluator
        if not isinstance(evaluators, list):
            evaluators = [evaluators]
        ids = {truth.get('img_id') for truth, _ in pairs}
        evaluator = Evaluator(
            [
                _restricted(metric, ids, Path(folder) / f'{i}.json')
                for i, metric in enumerate(evaluators)
            ]
        )
        evaluator.dataset_meta = model.data_meta
        for truth, result in pairs:
            sample = truth.new()
            # Its metainfo is that of the comparison.
            for name, value in result.items():
                setattr(sample, name, value)
            evaluator.process([sample], None)
        values = evaluator.evaluate(len(pairs))
    logger.setLevel(level)
    return {
        key: float(value)
        for key, value in values.items()
        if isinstance(value, int | float | np.number)
        and not key.endswith('max_dets')
    }


def _restricted(metric: dict, ids: set, path: Path) -> dict:
    """A metric whose annotation file holds some images alone."""
    file = metric.get('ann_file')
    if not file:
        return metric
    content = json.loads(Path(file).read_text(encoding='utf-8-sig'))
    content['images'] = [i for i in content['images'] if i['id'] in ids]
    content['annotations'] = [
        row for row in content['annotations'] if row['image_id'] in ids
    ]
    path.write_text(json.dumps(content))
    changed: dict[str, Any] = {**metric, 'ann_file': str(path)}
    return changed
