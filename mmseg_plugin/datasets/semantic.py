"""Label maps of any number of classes."""

from collections.abc import Mapping

from mmcv.transforms import LoadAnnotations
from mmdet.datasets import BaseSegDataset
from mmengine.fileio import exists, list_from_file

from mmseg_plugin.datasets.never_empty import NeverEmpty
from mmseg_plugin.registry import DATASETS

# What is no class by default, and the last label of maps of 8 bits.
_VOID = 255


@DATASETS.register_module()
class SemanticDataset(NeverEmpty, BaseSegDataset):
    """A label map for each image, for models of mmdet and of mmseg.

    Takes the arguments of mmdet's ``BaseSegDataset``. ``classes`` of the
    metainfo may be a file that has one name in each line, in the order of
    the labels.

    Raises:
        FileNotFoundError: there is no such file of names.
        ValueError: there are more than 255 classes, and the pipeline loads
            label 255 as none of them, or labels of 8 bits only.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        count = len(self.metainfo.get('classes') or ())
        for step in self.pipeline.transforms:
            loads = isinstance(step, LoadAnnotations) and step.with_seg
            # mmseg's transform has none, and casts to 8 bits.
            void = getattr(step, 'ignore_index', _VOID)
            if loads and void == _VOID < count:
                raise ValueError(
                    f'label {_VOID} is one of {count} classes, which '
                    f'{type(step).__name__} loads as void: load the maps with '
                    'mmseg_plugin.LoadSemanticAnnotations'
                )

    @classmethod
    def _load_metainfo(cls, metainfo: Mapping | None = None) -> dict:
        named = dict(metainfo or {})
        file = named.get('classes')
        if not isinstance(file, str):
            return super()._load_metainfo(metainfo)
        if not exists(file):
            raise FileNotFoundError(
                f'{file}, the classes of the metainfo, is not there: write '
                'one name a line, in the order of the labels'
            )
        lines = [
            line.strip() for line in list_from_file(file, encoding='utf-8-sig')
        ]
        named['classes'] = tuple(line for line in lines if line)
        return super()._load_metainfo(named)
