"""mmdet's panoptic metric without panopticapi and without a PNG round trip."""

import os.path as osp
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor

import mmcv
import numpy as np
from mmdet.evaluation.functional import INSTANCE_OFFSET
from mmengine.evaluator import BaseMetric
from mmengine.fileio import dump, exists
from mmengine.logging import MMLogger
from terminaltables import AsciiTable

from mmseg_plugin.datasets.annotation_files import category_ids
from mmseg_plugin.datasets.panoptic_fields import is_thing
from mmseg_plugin.datasets.panoptic_files import entries_by_image
from mmseg_plugin.datasets.structure import read_json
from mmseg_plugin.evaluation.panoptic_images import (
    ImageJob,
    check_truth,
    image_counts,
    labels_of,
)
from mmseg_plugin.evaluation.panoptic_quality import (
    VOID,
    Segments,
    panoptic_quality,
    per_class_quality,
)
from mmseg_plugin.registry import METRICS


@METRICS.register_module()
class CocoPanopticMetric(BaseMetric):
    """PQ, SQ and RQ, in percent, over all classes, things and stuff.

    Takes the place of mmdet's metric of this name and gives its keys. Ground
    truth comes from ``ann_file`` and ``seg_prefix``; without ``ann_file``
    from the ``segments_info`` of the samples, and without ``seg_prefix`` from
    their ``seg_map_path`` (list both in ``meta_keys``).

    Names tie the classes of the data set to the file's categories; other
    categories of the file do not count, and a class that it lacks has false
    positives alone.

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
        ValueError: ``format_only`` without ``outfile_prefix``; later: more
            classes than the encoding of results has room for, no results,
            fewer than the data set has images, or a truth or map that does
            not fit (file, image and segment are named).
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
        self._file_names: dict = {}
        self._written: dict[str, str] = {}
        self._size: int | None = None

    def _prepare(self) -> None:
        """Reads the categories, once the data set's classes are known."""
        names = self.dataset_meta['classes']
        if len(names) >= INSTANCE_OFFSET:
            raise ValueError(
                f'{len(names)} classes: panoptic results are class + '
                f'{INSTANCE_OFFSET} * instance, so there are at most '
                f'{INSTANCE_OFFSET - 1}'
            )
        if self.ann_file is None:
            things = set(self.dataset_meta['thing_classes'])
            self._categories = [
                {'id': i, 'name': name, 'isthing': int(name in things)}
                for i, name in enumerate(names)
            ]
            return
        content = read_json(self.ann_file, self.backend_args)
        ids = category_ids(content, self.ann_file, names)
        by_name = {c['name']: c for c in content['categories']}
        lacking = [name for name in names if name not in by_name]
        if lacking and (self.format_only or len(lacking) == len(names)):
            raise ValueError(
                f'{self.ann_file} lacks the categories {lacking} of the data '
                'set'
            )
        # What is found of them is wrong, as for masks.
        things = {*names} & {*self.dataset_meta.get('thing_classes', ())}
        self._categories = []
        for name in names:
            listed = by_name.get(name, {})
            thing = is_thing(listed, not things or name in things)
            own = {'id': ids[name], 'name': name, 'isthing': int(thing)}
            self._categories.append({**listed, **own})
        self._position = {ids[name]: i for i, name in enumerate(names)}
        self._file_names = {
            image['id']: image['file_name']
            for image in content.get('images', ())
            if 'file_name' in image
        }
        if not self.format_only:
            self._annotations = entries_by_image(content, self.ann_file)

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
            self.results.append((counts, entry, sample['img_id']))

    def _predicted_ids(self, sample: dict) -> np.ndarray:
        """The predicted map, encoded + 1, 0 for void."""
        encoded = sample['pred_panoptic_seg']['sem_seg'][0].cpu().numpy()
        void = encoded % INSTANCE_OFFSET >= len(self._categories)
        # Unshifted, class 0 without an instance would be void's number.
        return np.where(void, VOID, encoded + 1)

    def _match(self, sample: dict, ids: np.ndarray) -> 'np.ndarray | Future':
        path, gt = self._ground_truth(sample)
        job = ImageJob(
            path,
            self.backend_args,
            gt,
            ids,
            len(self._categories),
        )
        if not self.nproc:
            return image_counts(job)
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self.nproc)
        return self._pool.submit(image_counts, job)

    def _ground_truth(self, sample: dict) -> tuple[str, Segments]:
        """Path of the map and its segments, in labels."""
        areas = None
        if self.ann_file is None:
            check_truth([sample], 'segments_info')
            found = sample['segments_info']
            labels = [s['category'] for s in found]
            # The data set takes crowds out of the things.
            crowd = [
                self._categories[s['category']]['isthing']
                and not s['is_thing']
                for s in found
            ]
            path = self._map_path(sample)
        else:
            annotation = self._annotation(sample['img_id'])
            found = [
                s
                for s in annotation['segments_info']
                if s['category_id'] in self._position
            ]
            labels = [self._position[s['category_id']] for s in found]
            crowd = [s.get('iscrowd', 0) == 1 for s in found]
            if all(s.get('area') is not None for s in found):
                areas = np.array([s['area'] for s in found], dtype=np.int64)
            path = self._map_path(sample, annotation.get('file_name'))
        return path, Segments(
            np.array([s['id'] for s in found], dtype=np.int64),
            np.array(labels, dtype=np.int64),
            np.array(crowd, dtype=bool),
            areas,
        )

    def _map_path(self, sample: dict, name: str | None = None) -> str:
        """Path of an image's map, of which the file may give the name."""
        if self.seg_prefix is None:
            path = sample.get('seg_map_path')
            if path is None:
                raise ValueError(
                    f'image {sample["img_id"]} ({sample["img_path"]}) has no '
                    'seg_map_path: set seg_prefix, or seg in data_prefix of '
                    'the data set'
                )
            return path
        if name is not None:
            return osp.join(self.seg_prefix, name)
        # Images in sub-folders may have one name: the longest path is right.
        parts = _png(sample['img_path']).split('/')
        for i in range(len(parts) - 1):
            path = osp.join(self.seg_prefix, *parts[i + 1 :])
            if exists(path, backend_args=self.backend_args):
                return path
        return osp.join(self.seg_prefix, parts[-1])

    def _annotation(self, img_id: int) -> dict:
        if img_id not in self._annotations:
            raise ValueError(f'{self.ann_file} has no image_id {img_id}')
        return self._annotations[img_id]

    def _write(self, sample: dict, ids: np.ndarray) -> dict:
        """Writes one predicted map; returns its entry of the JSON."""
        name = self._result_name(sample)
        bgr = np.stack([ids >> 16, ids >> 8, ids], -1) & 255
        mmcv.imwrite(
            bgr.astype(np.uint8), f'{self.outfile_prefix}.panoptic/{name}'
        )
        found = np.unique(ids[ids != VOID])
        places = labels_of(found)
        return {
            'image_id': sample['img_id'],
            'file_name': name,
            'segments_info': [
                {'id': int(i), 'category_id': self._categories[place]['id']}
                for i, place in zip(found, places, strict=True)
            ],
        }

    def _result_name(self, sample: dict) -> str:
        """Name of a written map, with sub-folders where names need them."""
        path = sample['img_path']
        known = self._file_names.get(sample['img_id'])
        if known is not None and path.endswith(known):
            return _png(known)
        parts = _png(path).lstrip('/').split('/')
        for i in range(1, len(parts) + 1):
            name = '/'.join(parts[-i:])
            if self._written.setdefault(name, path) == path:
                return name
        return name

    def evaluate(self, size: int) -> dict:
        """Gathers all ranks and evaluates.

        Args:
            size: number of images of the data set.
        """
        self._size = size
        self.results = [
            (c.result() if isinstance(c, Future) else c, *others)
            for c, *others in self.results
        ]
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        return super().evaluate(size)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Sums the images.

        Args:
            results: (counts, entry of the JSON, id) of each image.
        """
        self._check_images([image for *_, image in results])
        if self.outfile_prefix is not None:
            entries = [entry for _, entry, _ in results]
            _check_names(entries)
            dump(
                {'annotations': entries},
                f'{self.outfile_prefix}.panoptic.json',
            )
        if self.format_only:
            return {}
        counts = np.sum([counts for counts, *_ in results], axis=0)
        things = np.array([c['isthing'] == 1 for c in self._categories])
        rows = {
            'All': panoptic_quality(counts),
            'Things': panoptic_quality(counts, things),
            'Stuff': panoptic_quality(counts, ~things),
        }
        if self.classwise:
            self._print_classes(counts)
        return {
            f'{key.upper()}{suffix}': 100 * getattr(rows[name], key)
            for name, suffix in (
                ('All', ''),
                ('Things', '_th'),
                ('Stuff', '_st'),
            )
            for key in ('pq', 'sq', 'rq')
        }

    def _check_images(self, images: list) -> None:
        """Says which images have no result."""
        where = self.ann_file or 'the data set'
        if not images:
            raise ValueError(f'no image of {where} has a result to evaluate')
        seen = set(images)
        if self._size is not None and len(images) < self._size:
            raise ValueError(
                f'{len(images)} of {self._size} images of the data set have '
                'a result'
            )
        lacking = [image for image in self._annotations if image not in seen]
        if lacking:
            MMLogger.get_current_instance().warning(
                f'{len(lacking)} of {len(self._annotations)} images of '
                f'{where} have no prediction and do not count, such as '
                f'image_id {lacking[0]}'
            )

    def _print_classes(self, counts: np.ndarray) -> None:
        quality = 100 * per_class_quality(counts)
        rows = [
            [category['name'], *(f'{value:.2f}' for value in row)]
            for category, row in zip(
                self._categories, quality.tolist(), strict=True
            )
        ]
        table = AsciiTable([['class', 'PQ', 'SQ', 'RQ'], *rows]).table
        MMLogger.get_current_instance().info(f'\n{table}')


def _png(path: str) -> str:
    return osp.splitext(path.replace('\\', '/'))[0] + '.png'


def _check_names(entries: list[dict]) -> None:
    """Refuses two maps of one name, which processes may have written."""
    images: dict[str, object] = {}
    for entry in entries:
        first = images.setdefault(entry['file_name'], entry['image_id'])
        if first != entry['image_id']:
            raise ValueError(
                f'images {first} and {entry["image_id"]} both wrote the map '
                f'{entry["file_name"]}: give an ann_file that lists the '
                'images with their folders'
            )
