"""Pairs of crops that show the same category at the same scale."""

from collections.abc import Sequence

import numpy as np
from mmengine.dataset import BaseDataset, pseudo_collate

from mmseg_plugin.datasets.transforms.object_crop import CropObject
from mmseg_plugin.registry import DATASETS, FUNCTIONS


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
        dataset: panoptic data set, or its config.
        scales: square roots of the box area that a thing is resized to.

    Raises:
        ValueError: no image shows any category.
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
    def metainfo(self) -> dict:
        """That of the data set."""
        return self.dataset.metainfo

    def full_init(self) -> None:
        """Lists the images of each category; crowds do not count."""
        self.dataset.full_init()
        names = self.metainfo['classes']
        stuff = {names.index(name) for name in self.metainfo['stuff_classes']}
        images: dict[int, list[int]] = {}
        for index in range(len(self.dataset)):
            info = self.dataset.get_data_info(index)
            labels = {instance['bbox_label'] for instance in info['instances']}
            labels |= stuff & {
                segment['category'] for segment in info['segments_info']
            }
            for label in labels:
                images.setdefault(label, []).append(index)
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

    def _crop(self, label: int, images: list[int], scale: int) -> object:
        """One processed sample; another one where the pipeline drops it."""
        for _ in range(self.dataset.max_refetch + 1):
            info = self.dataset.get_data_info(int(np.random.choice(images)))
            info['crop_object'] = draw_object(info, label, scale)
            sample = self.dataset.pipeline(info)
            if sample is not None:
                return sample
        raise RuntimeError(
            f'the pipeline dropped {self.dataset.max_refetch + 1} images of '
            f'category {label} in a row'
        )


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
