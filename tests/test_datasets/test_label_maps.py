import pytest

from mmseg_plugin.datasets import LabelMapDataset
from tests.test_datasets.test_formats import writers


def build(root, **kwargs):
    prefix = {'img_path': 'images/train', 'seg_map_path': 'masks/train'}
    return LabelMapDataset(
        data_root=str(root),
        data_prefix=prefix,
        metainfo={'classes': ('wall', 'sky', 'road')},
        **kwargs,
    )


def test_images_of_several_formats(tmp_path):
    writers.write_semantic(tmp_path)
    data = build(tmp_path)
    endings = {info['img_path'][-3:] for info in data}
    assert (len(data), endings) == (8, {'jpg', 'png'})
    assert len(data.metainfo['palette']) == 3
    (tmp_path / 'two.txt').write_text('1.jpg\n4.png\n')
    assert len(build(tmp_path, ann_file='two.txt')) == 2


def test_an_image_to_train_on_needs_a_map(tmp_path):
    writers.write_semantic(tmp_path)
    (tmp_path / 'masks' / 'train' / '3.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'3\.jpg has no label map'):
        build(tmp_path)
    assert len(build(tmp_path, test_mode=True)) == 8
