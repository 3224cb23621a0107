"""mmdet's panoptic metric without panopticapi and without a PNG round trip."""

import os.path as osp
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import NamedTuple

import mmcv
import numpy as np
from mmdet.evaluation.functional import INSTANCE_OFFSET
from mmdet.evaluation.metrics.coco_panoptic_metric import print_panoptic_table
from mmengine.evaluator import BaseMetric
from mmengine.fileio import dump, load
from mmengine.logging import MMLogger

from mmseg_plugin.datasets.transforms.load_panoptic import read_segment_ids
from mmseg_plugin.evaluation.panoptic_quality import (
    VOID,
    Segments,
    overlaps,
    panoptic_quality,
    per_class_quality,
    segment_counts,
)
from mmseg_plugin.registry import METRICS


@METRICS.register_module()
class CocoPanopticMetric(BaseMetric):
    """PQ, SQ and RQ, in percent, over all classes, things and stuff.

    Takes the place of mmdet's metric of this name and gives its keys. Ground
    truth comes from ``ann_file`` and ``seg_prefix``; without ``ann_file``
    from the ``segments_info`` of the samples, and without ``seg_prefix`` from
    their ``seg_map_path`` (list both in ``meta_keys``).

    Args:
        ann_file: COCO panoptic JSON; with ``format_only``, any file with the
            data set's categories.
        seg_prefix: folder of the panoptic PNGs.
        classwise: print the table of classes too.
        format_only: write the predictions, evaluate nothing.
        outfile_prefix: predictions are written as COCO panoptic results to
            ``{outfile_prefix}.panoptic.json`` and PNGs in
            ``{outfile_prefix}.panoptic``.
        nproc: processes that read and match; 0 does it in this one.
        backend_args: see :func:`mmengine.fileio.get`.
        collect_device: see mmengine's ``BaseMetric``.
        prefix: see mmengine's ``BaseMetric``.

    Raises:
        ValueError: ``format_only`` without ``outfile_prefix``.
    """

    default_prefix = 'coco_panoptic'

    def __init__(
        self,
        ann_file: str | None = None,
        seg_prefix: str | None = None,
        classwise: bool = False,
        format_only: bool = False,
        outfile_prefix: str | None = None,
        nproc: int = 0,
        backend_args: dict | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ):
        super().__init__(collect_device, prefix)
        self.results: list[tuple] = []
        if format_only and outfile_prefix is None:
            raise ValueError('format_only=True needs an outfile_prefix')
        self.ann_file = ann_file
        self.seg_prefix = seg_prefix
        self.classwise = classwise
        self.format_only = format_only
        self.outfile_prefix = outfile_prefix
        self.nproc = nproc
        self.backend_args = backend_args
        self._pool: ProcessPoolExecutor | None = None
        self._annotations: dict[int, dict] = {}
        self._categories: list[dict] = []
        self._position: dict[int, int] = {}
        self._label_category: list[int] = []

    def _prepare(self) -> None:
        """Reads the categories, once the data set's classes are known."""
        names = self.dataset_meta['classes']
        if self.ann_file is None:
            things = set(self.dataset_meta['thing_classes'])
            self._categories = [
                {'id': i, 'name': name, 'isthing': int(name in things)}
                for i, name in enumerate(names)
            ]
            self._label_category = list(range(len(names)))
            return
        content = load(self.ann_file, backend_args=self.backend_args)
        self._categories = content['categories']
        self._position = {c['id']: i for i, c in enumerate(self._categories)}
        # The data set numbers its classes in the order of the file.
        self._label_category = [
            i for i, c in enumerate(self._categories) if c['name'] in names
        ]
        if len(self._label_category) != len(names):
            found = {c['name'] for c in self._categories}
            raise ValueError(
                f'{self.ann_file} lacks the categories '
                f'{sorted(set(names) - found)} of the data set'
            )
        self._annotations = {
            a['image_id']: a for a in content.get('annotations', [])
        }

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Matches the segments of a batch.

        Args:
            data_batch: not used.
            data_samples: with ``img_id``, ``img_path`` and
                ``pred_panoptic_seg``: ``sem_seg`` (1, H, W), class +
                instance * 1000, anything from the number of classes on being
                void.
        """
        if not self._categories:
            self._prepare()
        for sample in data_samples:
            ids = self._predicted_ids(sample)
            counts = entry = None
            if not self.format_only:
                counts = self._match(sample, ids)
            if self.outfile_prefix is not None:
                entry = self._write(sample, ids)
            self.results.append((counts, entry))

    def _predicted_ids(self, sample: dict) -> np.ndarray:
        """The predicted map, encoded + 1, 0 for void."""
        encoded = sample['pred_panoptic_seg']['sem_seg'][0].cpu().numpy()
        void = encoded % INSTANCE_OFFSET >= len(self._label_category)
        # Unshifted, class 0 without an instance would be void's number.
        return np.where(void, VOID, encoded + 1)

    def _match(self, sample: dict, ids: np.ndarray) -> 'np.ndarray | Future':
        path, gt = self._ground_truth(sample)
        job = _Job(
            path,
            self.backend_args,
            gt,
            ids,
            np.array(self._label_category),
            len(self._categories),
        )
        if not self.nproc:
            return _image_counts(job)
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.nproc)
        return self._pool.submit(_image_counts, job)

    def _ground_truth(self, sample: dict) -> tuple[str, Segments]:
        """Path of the map and its segments, in positions of categories."""
        name = _png_name(sample)
        areas = None
        if self.ann_file is None:
            found = sample['segments_info']
            labels = [s['category'] for s in found]
            # The data set takes crowds out of the things.
            crowd = [
                self._categories[s['category']]['isthing']
                and not s['is_thing']
                for s in found
            ]
        else:
            annotation = self._annotation(sample['img_id'])
            name = annotation['file_name']
            found = annotation['segments_info']
            labels = [self._position[s['category_id']] for s in found]
            crowd = [s.get('iscrowd', 0) == 1 for s in found]
            areas = np.array([s['area'] for s in found], dtype=np.int64)
        path = (
            sample['seg_map_path']
            if self.seg_prefix is None
            else osp.join(self.seg_prefix, name)
        )
        return path, Segments(
            np.array([s['id'] for s in found], dtype=np.int64),
            np.array(labels, dtype=np.int64),
            np.array(crowd, dtype=bool),
            areas,
        )

    def _annotation(self, img_id: int) -> dict:
        if img_id not in self._annotations:
            raise ValueError(f'{self.ann_file} has no image_id {img_id}')
        return self._annotations[img_id]

    def _write(self, sample: dict, ids: np.ndarray) -> dict:
        """Writes one predicted map; returns its entry of the JSON."""
        name = _png_name(sample)
        bgr = np.stack([ids >> 16, ids >> 8, ids], -1) & 255
        mmcv.imwrite(
            bgr.astype(np.uint8), f'{self.outfile_prefix}.panoptic/{name}'
        )
        found = np.unique(ids[ids != VOID])
        places = np.array(self._label_category)[_labels(found)]
        return {
            'image_id': sample['img_id'],
            'file_name': name,
            'segments_info': [
                {'id': int(i), 'category_id': self._categories[place]['id']}
                for i, place in zip(found, places, strict=True)
            ],
        }

    def evaluate(self, size: int) -> dict:
        """Gathers all ranks and evaluates.

        Args:
            size: number of images of the data set.
        """
        self.results = [
            (counts.result() if isinstance(counts, Future) else counts, entry)
            for counts, entry in self.results
        ]
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        return super().evaluate(size)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Sums the images.

        Args:
            results: (counts, entry of the JSON) of each image.
        """
        if self.outfile_prefix is not None:
            entries = [entry for _, entry in results]
            dump(
                {'annotations': entries},
                f'{self.outfile_prefix}.panoptic.json',
            )
        if self.format_only:
            return {}
        counts = np.sum([counts for counts, _ in results], axis=0)
        things = np.array([c['isthing'] == 1 for c in self._categories])
        rows = {
            'All': panoptic_quality(counts),
            'Things': panoptic_quality(counts, things),
            'Stuff': panoptic_quality(counts, ~things),
        }
        self._print(rows, counts)
        return {
            f'{key.upper()}{suffix}': 100 * getattr(rows[name], key)
            for name, suffix in (
                ('All', ''),
                ('Things', '_th'),
                ('Stuff', '_st'),
            )
            for key in ('pq', 'sq', 'rq')
        }

    def _print(self, rows: dict, counts: np.ndarray) -> None:
        table = {
            name: {'pq': row.pq, 'sq': row.sq, 'rq': row.rq, 'n': row.num}
            for name, row in rows.items()
        }
        classes = None
        if self.classwise:
            quality = per_class_quality(counts).tolist()
            classes = {
                category['name']: dict(zip(('pq', 'sq', 'rq'), q, strict=True))
                for category, q in zip(self._categories, quality, strict=True)
            }
        print_panoptic_table(table, classes, MMLogger.get_current_instance())


def _png_name(sample: dict) -> str:
    return osp.splitext(osp.basename(sample['img_path']))[0] + '.png'


def _labels(ids: np.ndarray) -> np.ndarray:
    """Classes of predicted ids, see ``_predicted_ids``."""
    return (ids - 1) % INSTANCE_OFFSET


class _Job(NamedTuple):
    """What is needed to match one image, in any process."""

    path: str
    backend_args: dict | None
    gt: Segments
    pred_ids: np.ndarray
    label_category: np.ndarray
    num_categories: int


def _image_counts(job: _Job) -> np.ndarray:
    """Reads the ground truth of one image and matches it."""
    gt_ids = read_segment_ids(job.path, job.backend_args)
    met = overlaps(gt_ids, job.pred_ids)
    found = np.unique(met.pred)
    found = found[found != VOID]
    pred = Segments(found, job.label_category[_labels(found)])
    return segment_counts(met, job.gt, pred, job.num_categories)
