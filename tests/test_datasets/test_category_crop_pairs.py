import numpy as np
import pytest
import torch
from mmdet.datasets import ConcatDataset as DetConcatDataset
from mmdet.datasets import MultiImageMixDataset
from mmengine.dataset import (
    BaseDataset,
    ClassBalancedDataset,
    ConcatDataset,
    RepeatDataset,
)
from mmengine.runner import Runner

from mmseg_plugin.datasets import CategoryCropPairs, collate_pairs

THING, OTHER, STUFF = 0, 1, 2


def instance(label, *box):
    return {'bbox_label': label, 'bbox': list(box), 'ignore_flag': 0}


INFOS = [
    {
        'instances': [
            instance(THING, 0, 0, 4, 4),
            instance(THING, 4, 4, 9, 9),
        ],
        'segments_info': [{'category': THING}, {'category': STUFF}],
    },
    # A crowd of the other class is no instance.
    {
        'instances': [instance(THING, 1, 1, 2, 2)],
        'segments_info': [{'category': THING}, {'category': OTHER}],
    },
    {'instances': [], 'segments_info': [{'category': STUFF}]},
]


class Images:
    """A panoptic data set of three images."""

    metainfo = {
        'classes': ('thing', 'other', 'stuff'),
        'thing_classes': ('thing', 'other'),
        'stuff_classes': ('stuff',),
    }
    max_refetch = 3

    def __init__(self, pipeline=None):
        self.pipeline = pipeline or (lambda info: info)

    def full_init(self):
        pass

    def __len__(self):
        return len(INFOS)

    def get_data_info(self, index):
        return {'index': index, **INFOS[index]}


def test_an_item_is_a_category():
    pairs = CategoryCropPairs(Images())
    assert [label for label, _ in pairs.categories] == [THING, STUFF]
    places = {k: [i for _, i in found] for k, found in pairs.categories}
    assert places == {THING: [0, 1], STUFF: [0, 2]}
    assert len(pairs) == 2
    assert pairs.metainfo['classes'] == ('thing', 'other', 'stuff')


def test_both_crops_share_category_and_scale():
    pairs = CategoryCropPairs(Images(), scales=(8, 16, 32))
    scales, images, boxes = set(), set(), set()
    for seed in range(100):
        np.random.seed(seed)
        first, second = (sample['crop_object'] for sample in pairs[0])
        assert first.label == second.label == THING
        assert first.scale == second.scale
        scales.add(first.scale)
        images.add(tuple(s['index'] for s in pairs[0]))
        boxes |= {first.box, second.box}
    assert scales == {8, 16, 32}
    # The images are drawn with replacement, objects among all of an image.
    assert images == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert boxes == {(0, 0, 4, 4), (4, 4, 9, 9), (1, 1, 2, 2)}


def test_stuff_has_neither_box_nor_scale():
    for sample in CategoryCropPairs(Images())[1]:
        assert sample['crop_object'] == (STUFF, None, None)
        assert sample['index'] in (0, 2)


def test_a_dropped_sample_is_drawn_again():
    dropped = iter([None, 1, None, None, 2])
    pairs = CategoryCropPairs(Images(lambda info: next(dropped)))
    assert pairs[0] == [1, 2]
    hopeless = CategoryCropPairs(Images(lambda info: None))
    with pytest.raises(RuntimeError, match='4 images of category 0'):
        hopeless[0]


def test_no_categories(monkeypatch):
    monkeypatch.setattr(
        'tests.test_datasets.test_category_crop_pairs.INFOS', []
    )
    with pytest.raises(ValueError, match='no image'):
        CategoryCropPairs(Images())


def test_pairs_are_neighbours_in_a_batch():
    pairs = CategoryCropPairs(Images(lambda info: {'inputs': info['index']}))
    batch = collate_pairs([pairs[1], pairs[1]])
    assert len(batch['inputs']) == 4


def test_loader_finds_the_collate_function_by_name():
    torch.manual_seed(0)
    loader = Runner.build_dataloader(
        {
            'batch_size': 2,
            'num_workers': 0,
            'dataset': CategoryCropPairs(
                Images(lambda info: {'label': info['crop_object'].label})
            ),
            'sampler': {'type': 'InfiniteSampler'},
            'collate_fn': {'type': 'mmseg_plugin.collate_pairs'},
        }
    )
    labels = next(iter(loader))['label']
    assert sorted(labels) == [THING, THING, STUFF, STUFF]
    assert labels[0] == labels[1]


class Real(BaseDataset):
    """The three images as a data set that MMEngine's wrappers take."""

    METAINFO = Images.metainfo

    def load_data_list(self):
        return [{'index': i, **info} for i, info in enumerate(INFOS)]

    def get_cat_ids(self, idx):
        info = self.get_data_info(idx)
        return [segment['category'] for segment in info['segments_info']]


def repeated(dataset, times: int) -> RepeatDataset:
    """Wrappers of wrappers come from configs only."""
    outer = RepeatDataset(Real(), times, lazy_init=True)
    outer.dataset = dataset
    return outer


def pair_places(dataset) -> dict:
    pairs = CategoryCropPairs(dataset)
    for label, _ in enumerate(pairs.categories):
        for sample in pairs[label]:
            assert 'crop_object' in sample
    return {
        label: [index for _, index in places]
        for label, places in pairs.categories
    }


@pytest.mark.parametrize(
    ('wrap', 'times'),
    [
        (lambda d: ConcatDataset([d(), d()]), 2),
        (lambda d: DetConcatDataset([d(), d()]), 2),
        # Different in what pairs do not ask for.
        (lambda d: DetConcatDataset([d(metainfo={'x': 1}), d()]), 2),
        (lambda d: RepeatDataset(d(), 3), 3),
        (lambda d: ClassBalancedDataset(d(), 1e-3), 1),
        (lambda d: repeated(ConcatDataset([d(), d()]), 2), 4),
        (lambda d: ConcatDataset([d(), d()], lazy_init=True), 2),
    ],
)
def test_wrapped_data_sets(wrap, times):
    places = pair_places(wrap(Real))
    assert places == {THING: [0, 1] * times, STUFF: [0, 2] * times}


def test_a_wrapper_that_hides_its_images_is_named():
    mixed = MultiImageMixDataset(Real(), pipeline=[])
    with pytest.raises(ValueError, match='MultiImageMixDataset hides'):
        CategoryCropPairs(mixed)
    other = Real(metainfo={'classes': Real.METAINFO['classes'][::-1]})
    with pytest.raises(ValueError, match='different metainfo'):
        CategoryCropPairs(DetConcatDataset([other, Real()]))


def test_a_data_set_without_segments_is_named(monkeypatch):
    monkeypatch.setattr(
        'tests.test_datasets.test_category_crop_pairs.INFOS',
        [{'instances': [instance(THING, 0, 0, 4, 4)]}],
    )
    with pytest.raises(ValueError, match='Images is not panoptic'):
        CategoryCropPairs(Images())
