"""Tsinghua-Tencent 100K: small traffic signs in large images."""

import json
from pathlib import PurePosixPath

from mmdet.datasets import BaseDetDataset
from mmengine.fileio import exists, get_text, join_path

from mmseg_plugin.datasets.never_empty import NeverEmpty
from mmseg_plugin.registry import DATASETS

# All images are squares of this side; the annotations do not say so.
_SIDE = 2048
# The 45 types with at least 100 examples, which results are reported for.
_CLASSES = """
i2 i4 i5 il100 il60 il80 io ip p10 p11 p12 p19 p23 p26 p27 p3 p5 p6 pg ph4
ph4.5 ph5 pl100 pl120 pl20 pl30 pl40 pl5 pl50 pl60 pl70 pl80 pm20 pm30 pm55 pn
pne po pr40 w13 w32 w55 w57 w59 wo
"""


@DATASETS.register_module()
class TT100KDataset(NeverEmpty, BaseDetDataset):
    """Traffic signs of Tsinghua-Tencent 100K, as published.

    Zhu et al., "Traffic-Sign Detection and Classification in the Wild" (CVPR
    2016), https://cg.cs.tsinghua.edu.cn/traffic-sign/. Reads its
    ``annotations.json`` as it is. Signs of other types than those in the
    metainfo are left out. Evaluate with
    ``mmseg_plugin.CocoInstanceMetric`` without ``ann_file``, and
    ``'instances'`` among the ``meta_keys`` of the pipeline.

    Args:
        split: ``'train'`` or ``'test'``: the folder of the images.
        **kwargs: of mmdet's ``BaseDetDataset``; ``data_root`` is the folder
            with ``train/``, ``test/`` and, unless ``ann_file`` says
            otherwise, ``annotations.json``.

    Raises:
        FileNotFoundError: there is no such annotation file.
        ValueError: the file has no image of the split.
    """

    METAINFO = {'classes': tuple(_CLASSES.split())}

    def __init__(
        self, split: str, ann_file: str = 'annotations.json', **kwargs
    ) -> None:
        self.split = split
        super().__init__(ann_file=ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Reads the annotation file."""
        if not exists(self.ann_file, backend_args=self.backend_args):
            raise FileNotFoundError(
                f'TT100KDataset lacks {self.ann_file}: unpack data.zip from '
                'https://cg.cs.tsinghua.edu.cn/traffic-sign/ so that '
                'annotations.json, train and test lie in data_root'
            )
        content = json.loads(
            get_text(
                self.ann_file, 'utf-8-sig', backend_args=self.backend_args
            )
        )
        images = [
            image
            for image in content['imgs'].values()
            if PurePosixPath(image['path']).parts[0] == self.split
        ]
        if not images:
            raise ValueError(
                f'{self.ann_file} has no image in folder {self.split!r}'
            )
        return [self._record(image) for image in images]

    def filter_data(self) -> list[dict]:
        """Leaves out images without signs if ``filter_cfg`` asks for it."""
        options = self.filter_cfg or {}
        if self.test_mode or not options.get('filter_empty_gt', False):
            return self.data_list
        return [info for info in self.data_list if info['instances']]

    def _record(self, image: dict) -> dict:
        classes = self.metainfo['classes']
        boxes = ((sign['category'], sign['bbox']) for sign in image['objects'])
        return {
            'img_path': join_path(self.data_root, image['path']),
            'img_id': image['id'],
            'height': _SIDE,
            'width': _SIDE,
            'instances': [
                {
                    'ignore_flag': 0,
                    'bbox': [box[k] for k in ('xmin', 'ymin', 'xmax', 'ymax')],
                    'bbox_label': classes.index(category),
                }
                for category, box in boxes
                if category in classes
            ],
        }
