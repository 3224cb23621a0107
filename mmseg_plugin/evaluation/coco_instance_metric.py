"""mmdet's COCO metric over a truth that pycocotools judges rightly."""

import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmdet.datasets.api_wrappers import COCO, COCOevalMP
from mmdet.evaluation import CocoMetric
from mmengine.fileio import load
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from mmseg_plugin.datasets.annotation_files import category_ids
from mmseg_plugin.datasets.structure import read_json
from mmseg_plugin.evaluation.average_precision import (
    AREAS,
    average_precisions,
    curves,
    judged_truth,
    load_results,
    mean,
)
from mmseg_plugin.evaluation.coco_backends import chosen, indexed
from mmseg_plugin.evaluation.panoptic_images import check_truth
from mmseg_plugin.registry import METRICS

_JUDGED = ('bbox', 'segm')


@METRICS.register_module()
class CocoInstanceMetric(CocoMetric):
    """AP of boxes and masks, all of it at one number of detections.

    Takes the place of mmdet's ``CocoMetric`` and gives its keys, and
    ``{kind}_max_dets`` beside them: the number of detections of an image and
    class that count, the largest of ``proposal_nums``. (mmdet's metric takes
    mAP at 100 and the others at the largest.) Ids of annotations are free,
    and missing boxes, areas and ``iscrowd`` are completed from the masks.
    Names tie the classes of the data set to the file's categories.

    Takes the arguments of mmdet's ``CocoMetric``, and

    Args:
        ann_file: instance file; None takes the truth from the samples.
        backend: what counts: ``'pycocotools'``, ``'hotcoco'``, ``'vernier'``,
            ``'faster_coco_eval'``, or ``'auto'``, the fastest of those that
            are installed in a release that gives pycocotools' numbers. Not
            used with ``use_mp_eval``.
        boundary: give Boundary AP of the masks too, with the prefix
            ``boundary``, which faster_coco_eval and vernier count.

    Raises:
        ValueError: there is no such metric, number of detections or backend,
            it is not installed, or it does not count Boundary AP; later: the
            truth cannot be judged, there are no results, or a result
            has no finite score or an RLE that does not fit its image; file,
            image and annotation are named.
    """

    metrics: list[str]

    def __init__(
        self,
        ann_file: str | None = None,
        *args: Any,
        backend: str = 'auto',
        boundary: bool = False,
        **kwargs: Any,
    ) -> None:
        try:
            super().__init__(None, *args, **kwargs)
        except (KeyError, TypeError) as error:
            raise ValueError(
                f'{type(self).__name__}: {error.args[0]}'
            ) from error
        nums = self.proposal_nums
        if not nums or not all(type(n) is int and n > 0 for n in nums):
            raise ValueError(
                f'proposal_nums is {nums}: give numbers of detections, such '
                'as [100, 300, 1000]'
            )
        self.backends = {kind: chosen(backend) for kind in _JUDGED}
        if boundary:
            self.backends['boundary'] = chosen(backend, 'boundary')
        self.ann_file = ann_file
        self._content: dict | None = None
        if ann_file is not None:
            self._content = read_json(ann_file, self.backend_args)
            category_ids(self._content, ann_file)
            # What mmdet asks before it takes the truth from the samples.
            self._coco_api = indexed({'images': []})

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Takes over the results of a batch, see mmdet's.

        Args:
            data_batch: not used.
            data_samples: with ``instances`` where there is no ``ann_file``.
        """
        if self.ann_file is None:
            check_truth(data_samples, 'instances')
        super().process(data_batch, data_samples)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Judges the results.

        Args:
            results: (truth, result) of each image.
        """
        if not results:
            where = self.ann_file or 'the data set'
            raise ValueError(f'no image of {where} has a result to evaluate')
        if self.outfile_prefix is not None:
            return self._judge(results, self.outfile_prefix)
        with tempfile.TemporaryDirectory() as folder:
            return self._judge(results, f'{folder}/results')

    def _judge(self, results: list, prefix: str) -> dict[str, float]:
        truths, found = zip(*results, strict=True)
        content, source = self._content, self.ann_file or 'the data set'
        if content is None:
            content = load(self.gt_to_coco_json(truths, prefix))
            for annotation in content.get('annotations', ()):
                # mmdet's is that of the box.
                if 'segmentation' in annotation:
                    del annotation['area']
        kinds = [] if self.format_only else self._kinds()
        classes = self.dataset_meta['classes']
        truth, self.cat_ids = judged_truth(content, source, classes, kinds)
        if kinds:
            wanted = set(self.cat_ids)
            _warn_of_nothing(
                [
                    bool(annotation['iscrowd'])
                    for annotation in truth.dataset['annotations']
                    if annotation['category_id'] in wanted
                ],
                source,
            )
        if self.outfile_prefix is not None:
            self.results2json(found, prefix)
        metrics: dict[str, float] = {}
        if self.format_only:
            for kind in _JUDGED if 'masks' in found[0] else ['bbox']:
                load_results(truth, self._rows(found, kind), kind)
            return metrics
        for kind in kinds:
            if kind not in self.backends:
                metrics |= self._proposals(kind, truth, results)
                continue
            if kind != 'bbox' and 'masks' not in found[0]:
                raise ValueError(
                    f'metric={kind!r}, but the model gives no masks'
                )
            rows = load_results(truth, self._rows(found, kind), kind)
            metrics |= self._average_precision(kind, truth, rows)
        return metrics

    def _kinds(self) -> list[str]:
        """What is judged; Boundary AP is none of mmdet's metrics."""
        return self.metrics + [
            kind for kind in self.backends if kind not in _JUDGED
        ]

    def _rows(self, found: Sequence[dict], kind: str) -> list[dict]:
        """COCO's results of all images, as `results2json` writes them."""
        rows = []
        for result in found:
            scores = result['scores']
            if kind == 'bbox':
                shapes = [self.xyxy2xywh(box) for box in result['bboxes']]
            else:
                scores = result.get('mask_scores', scores)
                shapes = result['masks']
            field = 'bbox' if kind == 'bbox' else 'segmentation'
            for label, score, shape in zip(
                result['labels'].tolist(), scores.tolist(), shapes, strict=True
            ):
                row = {
                    'image_id': result['img_id'],
                    'category_id': self.cat_ids[label],
                    'score': score,
                }
                rows.append({**row, field: shape})
        return rows

    def _proposals(self, kind: str, truth: Any, results: list) -> dict:
        """mmdet's recall of proposals, over the completed truth."""
        metrics, self.metrics = self.metrics, [kind]
        self._coco_api = COCO()
        self._coco_api.dataset = truth.dataset
        self._coco_api.createIndex()
        self.img_ids = truth.getImgIds()
        try:
            return super().compute_metrics(results)
        except ValueError as error:
            raise ValueError(
                f'metric={kind!r} of mmdet fails where images have different '
                "numbers of objects: take 'proposal'"
                if kind == 'proposal_fast'
                else str(error)
            ) from error
        finally:
            self.metrics = metrics

    def _average_precision(
        self, kind: str, truth: Any, found: Any
    ) -> dict[str, float]:
        nums = sorted(self.proposal_nums)
        items = self.metric_items
        recalled = any(item.startswith('AR') for item in items or ())
        judged = curves(
            *(truth, found, kind, self.cat_ids),
            max_dets=nums if recalled else nums[-1:],
            iou_thrs=self.iou_thrs,
            backend=self._backend(kind),
        )
        precision = judged['precision'][..., -1]
        ious = np.atleast_1d(self.iou_thrs)
        values = average_precisions(precision, ious)
        if recalled:
            values |= _recalls(judged['recall'], nums)
        items = items or [key for key in values if key.startswith('mAP')]
        unknown = [item for item in items if item not in values]
        if unknown:
            raise ValueError(
                f'metric_items {unknown} are not among {sorted(values)}'
            )
        named = {f'{kind}_{item}': round(values[item], 3) for item in items}
        if self.classwise:
            named |= self._classes(precision, ious, nums[-1])
        # MMEngine's JSON of a test has null for whole numbers.
        return {**named, f'{kind}_max_dets': float(nums[-1])}

    def _backend(self, kind: str) -> str | type[COCOevalMP]:
        if self.use_mp_eval and kind in _JUDGED:
            return COCOevalMP
        return self.backends[kind]

    def _classes(
        self, precision: np.ndarray, ious: np.ndarray, number: int
    ) -> dict[str, float]:
        """Prints a row for each class; gives their AP."""
        rows, values = [], {}
        for i, name in enumerate(self.dataset_meta['classes']):
            row = average_precisions(precision[:, :, i : i + 1], ious)
            rows.append([name, *(f'{value:.3f}' for value in row.values())])
            values[f'{name}_precision'] = round(row['mAP'], 3)
        heads = [f'class (at {number} detections)', *row]
        MMLogger.get_current_instance().info(
            '\n' + AsciiTable([heads, *rows]).table
        )
        return values


def _warn_of_nothing(crowds: Sequence[bool], source: str) -> None:
    """AP is -1 where there is nothing to find, which looks like a fault.

    Args:
        crowds: of the annotations of all classes, whether they are crowds.
        source: the file.
    """
    if all(crowds):
        MMLogger.get_current_instance().warning(
            f'{source} has no object to find, so that AP is -1: of the '
            f'classes it has {len(crowds)} annotations, all of them crowds'
        )


def _recalls(recall: np.ndarray, numbers: Sequence[int]) -> dict[str, float]:
    """``AR@n``, and of the largest ``n`` those of small, medium and large."""
    values = {
        f'AR@{n}': mean(recall[:, :, 0, i]) for i, n in enumerate(numbers)
    }
    for name, area in AREAS.items():
        values[f'AR{name}@{numbers[-1]}'] = mean(recall[:, :, area, -1])
    return values
