import numpy as np
import pytest
import torch
from mmdet.datasets import CocoPanopticDataset
from pycocotools import mask as coco_mask

from mmseg_plugin.datasets.transforms import LoadPanopticAnnotations
from mmseg_plugin.datasets.transforms.load_panoptic import read_segment_ids
from tests.test_datasets import panoptic_folder as folder


@pytest.fixture
def root(tmp_path):
    folder.write(tmp_path)
    return tmp_path


def data_set(root, *last, **loader):
    return CocoPanopticDataset(
        ann_file='panoptic.json',
        metainfo=folder.METAINFO,
        data_root=str(root),
        data_prefix={'img': 'img/', 'seg': 'seg/'},
        pipeline=[
            {'type': 'mmdet.LoadImageFromFile'},
            {'type': 'mmseg_plugin.LoadPanopticAnnotations', **loader},
            *last,
        ],
    )


def test_ids_use_all_channels(root):
    ids = read_segment_ids(str(root / 'seg/0.png'))
    assert ids.dtype == np.int32
    assert np.array_equal(ids, folder.id_maps()[0])


def test_a_broken_file_is_named(root):
    (root / 'seg/0.png').write_bytes(b'not an image')
    with pytest.raises(ValueError, match=r'0\.png'):
        read_segment_ids(str(root / 'seg/0.png'))


def test_things_crowd_stuff_and_void(root):
    first, second = data_set(root)
    ids = folder.id_maps()
    assert first['gt_bboxes_labels'].tolist() == [0]
    assert first['gt_bboxes'].tensor.tolist() == [[0, 0, 3, 3]]
    assert first['gt_ignore_flags'].tolist() == [False]
    assert np.array_equal(
        first['gt_masks'].masks, (ids[0] == folder.CUP)[None]
    )
    want = np.full((6, 8), 2)
    want[ids[0] == folder.CUP] = 0
    want[ids[0] == folder.CROWD] = 1
    want[ids[0] == 0] = 255
    assert np.array_equal(first['gt_seg_map'], want)

    # In the order of the file's segments.
    assert second['gt_bboxes_labels'].tolist() == [1, 0]
    assert np.array_equal(second['gt_masks'].masks[0], ids[1] == folder.CAT)
    assert (second['gt_seg_map'][0] == 255).all()


def test_packed_for_mmdet(root):
    sample = data_set(root, {'type': 'mmdet.PackDetInputs'})[1]['data_samples']
    assert len(sample.gt_instances) == 2
    assert sample.gt_instances.masks.masks.dtype == np.uint8
    assert sample.gt_sem_seg.sem_seg.shape == (1, 6, 8)
    assert sample.gt_sem_seg.sem_seg.unique().tolist() == [0, 1, 255]
    assert torch.equal(sample.gt_instances.labels, torch.tensor([1, 0]))


def test_resize_keeps_masks_and_map_together(root):
    resize = {'type': 'mmdet.Resize', 'scale': (16, 12)}
    sample = data_set(root, resize)[1]
    assert sample['gt_masks'].masks.shape == (2, 12, 16)
    assert sample['gt_seg_map'].shape == (12, 16)
    assert sample['gt_masks'].masks[0].sum() == 4 * 12


def test_switches(root):
    sample = data_set(
        root, with_bbox=False, with_label=False, with_mask=False
    )[0]
    assert 'gt_seg_map' in sample
    assert not {'gt_masks', 'gt_bboxes', 'gt_bboxes_labels'} & set(sample)
    sample = data_set(root, with_seg=False)[0]
    assert 'gt_masks' in sample
    assert 'gt_seg_map' not in sample


def test_no_map_no_masks():
    loaded = LoadPanopticAnnotations()({'instances': [], 'seg_map_path': None})
    assert 'gt_masks' not in loaded
    assert len(loaded['gt_bboxes']) == 0


def test_image_without_things(root):
    for name in ('0.png', '1.png'):
        folder.write_png(root / 'seg' / name, np.full((6, 8), folder.SKY))
    sky = {'id': folder.SKY, 'category': 2, 'is_thing': 0}
    loaded = LoadPanopticAnnotations()(
        {
            'instances': [],
            'segments_info': [sky],
            'seg_map_path': str(root / 'seg/0.png'),
        }
    )
    assert loaded['gt_masks'].masks.shape == (0, 6, 8)
    assert (loaded['gt_seg_map'] == 2).all()


def test_rle_of_each_instance(root):
    _, second = data_set(root, with_rle=True)
    ids = folder.id_maps()[1]
    cat, cup = (coco_mask.decode(i['mask']) for i in second['instances'])
    assert np.array_equal(cat, ids == folder.CAT)
    assert np.array_equal(cup, ids == folder.CUP + 1)
