"""Pairs of crops that show the same category at the same scale."""

from collections.abc import Mapping, Sequence

import numpy as np
from mmengine.dataset import BaseDataset, pseudo_collate

from mmseg_plugin.datasets.transforms.object_crop import CropObject
from mmseg_plugin.registry import DATASETS, FUNCTIONS

_NAMES = ('classes', 'thing_classes', 'stuff_classes')


@DATASETS.register_module()
class CategoryCropPairs:
    """Two crops of one category for each item, as IBS publishes them.

    An item is a category, stuff or thing. For it one scale is drawn, and
    twice an image that shows the category and one of its objects there; the
    pipeline finds them in ``results['crop_object']`` (:class:`ResizeToObject`
    and :class:`CropAroundObject` use it). The images of a pair may be the
    same. Unlike the published code it never crops around a crowd: mmdet's
    panoptic data sets leave crowds out of the things. Take
    ``collate_fn=dict(type='mmseg_plugin.collate_pairs')``; the loader's
    ``batch_size`` counts pairs.

    Source: Mask2Former-IBS 7a4bc20,
    mask_former_panoptic_dataset_mapper_cropsampling.py.

    Args:
        dataset: panoptic data set, or its config; also wrapped, by
            ``ConcatDataset``, ``RepeatDataset``, ``ClassBalancedDataset`` or
            another wrapper that knows the place of an item in them.
        scales: square roots of the box area that a thing is resized to.

    Raises:
        ValueError: no image shows any category, a wrapper hides its images,
            or wrapped data sets have different classes.
    """

    def __init__(
        self,
        dataset: BaseDataset | dict,
        scales: Sequence[int] = (32, 64, 128, 256, 512),
    ) -> None:
        if isinstance(dataset, dict):
            dataset = DATASETS.build(dataset)
        self.dataset = dataset
        self.scales = scales
        self.full_init()

    @property
    def metainfo(self) -> dict | list[dict]:
        """That of the data set; the first of several with equal classes."""
        meta = self.dataset.metainfo
        if not isinstance(meta, list):
            return meta
        # mmdet lists those of data sets that differ in anything.
        names = [[one.get(key) for key in _NAMES] for one in meta]
        return meta[0] if all(one == names[0] for one in names) else meta

    def full_init(self) -> None:
        """Lists the images of each category; crowds do not count."""
        self.dataset.full_init()
        meta = self.metainfo
        if not isinstance(meta, Mapping):
            raise ValueError(
                'the data sets under CategoryCropPairs have different metainfo'
            )
        names = meta['classes']
        stuff = {names.index(name) for name in meta['stuff_classes']}
        images: dict[int, list[tuple]] = {}
        for index in range(len(self.dataset)):
            place = located(self.dataset, index)
            info = place[0].get_data_info(place[1])
            if 'segments_info' not in info:
                raise ValueError(
                    f'{type(place[0]).__name__} is not panoptic: '
                    'CategoryCropPairs needs segments_info of each image'
                )
            labels = {instance['bbox_label'] for instance in info['instances']}
            labels |= stuff & {
                segment['category'] for segment in info['segments_info']
            }
            for label in labels:
                images.setdefault(label, []).append(place)
        if not images:
            raise ValueError('no image of the data set shows any category')
        self.categories = sorted(images.items())

    def __len__(self) -> int:
        return len(self.categories)

    def __getitem__(self, index: int) -> list:
        """Two processed samples of a category."""
        label, images = self.categories[index]
        scale = int(np.random.choice(self.scales))
        return [self._crop(label, images, scale) for _ in range(2)]

    def _crop(self, label: int, images: list[tuple], scale: int) -> object:
        """One processed sample; another one where the pipeline drops it."""
        tries = max(dataset.max_refetch for dataset, _ in images) + 1
        for _ in range(tries):
            # Of the places: numpy would make an array of pairs.
            dataset, index = images[np.random.choice(len(images))]
            info = dataset.get_data_info(index)
            info['crop_object'] = draw_object(info, label, scale)
            sample = dataset.pipeline(info)
            if sample is not None:
                return sample
        raise RuntimeError(
            f'the pipeline dropped {tries} images of category {label} in a row'
        )


def located(dataset: BaseDataset, index: int) -> tuple[BaseDataset, int]:
    """The data set with a pipeline, and the place there, of an item.

    Args:
        dataset: a data set or wrappers around some.
        index: of the item.

    Raises:
        ValueError: a wrapper hides where its items come from.
    """
    # A mixing wrapper has a list of transforms, and no way back.
    while not callable(getattr(dataset, 'pipeline', None)):
        find = getattr(dataset, '_get_ori_dataset_idx', None)
        inner = getattr(dataset, 'dataset', None)
        if find is None:
            raise ValueError(
                f'{type(dataset).__name__} hides its images: put it around '
                'CategoryCropPairs, not under it'
            )
        if hasattr(dataset, 'datasets'):
            place, index = find(index)
            inner = dataset.datasets[place]
        else:
            index = find(index)
        dataset = inner
    return dataset, int(index)


def draw_object(info: dict, label: int, scale: int) -> CropObject:
    """One of an image's objects of a category.

    Args:
        info: ``instances`` of things.
        label: category.
        scale: wanted scale, if the object is a thing.
    """
    boxes = [
        instance['bbox']
        for instance in info['instances']
        if instance['bbox_label'] == label
    ]
    if not boxes:
        return CropObject(label, None, None)
    return CropObject(
        label, tuple(boxes[np.random.randint(len(boxes))]), scale
    )


@FUNCTIONS.register_module()
def collate_pairs(batch: list[list]) -> dict:
    """Batch of the crops of several pairs, which stay neighbours."""
    return pseudo_collate([sample for pair in batch for sample in pair])
