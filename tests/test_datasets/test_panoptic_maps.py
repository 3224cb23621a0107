"""Panoptic files and maps that do not fit each other, by all readers."""

import re

import cv2
import numpy as np
import pytest
from PIL import Image

from mmseg_plugin.apis.ground_truth import GroundTruth
from mmseg_plugin.checks.maps import read_maps
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.datasets.panoptic_files import read_segment_ids
from tests.test_datasets import panoptic_folder as folder
from tests.test_datasets.test_coco_by_name import change, panoptic, segments
from tests.test_evaluation.test_coco_panoptic_metric import evaluate, perfect

IDS = folder.id_maps()[0]


PNG = cv2.imencode('.png', np.zeros((6, 8, 3), np.uint8))[1].tobytes()


def palette(path) -> None:
    image = Image.fromarray((IDS % 7).astype('uint8'), 'P')
    image.putpalette(list(range(256)) * 3)
    image.save(path)


def photo(path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 9, (6, 8, 3), np.uint8)).save(path)


def bmp(path) -> None:
    data = cv2.imencode('.bmp', (IDS % 7).astype('uint8'))[1]
    path.write_bytes(data.tobytes())


WRONG = {
    'grey': lambda p: Image.fromarray((IDS % 7).astype('uint8')).save(p),
    '16 bits': lambda p: Image.fromarray((IDS % 7).astype('uint16')).save(p),
    '1 bit': lambda p: Image.fromarray(IDS == folder.SKY).save(p),
    '16 bits a colour': lambda p: cv2.imwrite(
        str(p), np.stack([IDS % 7] * 3, -1).astype('uint16')
    ),
    'palette': palette,
    'photo': photo,
    'grey BMP': bmp,
    'no image': lambda p: p.write_bytes(b'nothing'),
    'nothing': lambda p: p.touch(),
    'cut off': lambda p: p.write_bytes(PNG[:60]),
    'other ids': lambda p: folder.write_png(p, IDS + 9),
    'bytes swapped': lambda p: Image.fromarray(
        np.stack([IDS >> 16, IDS >> 8, IDS], -1).astype('uint8')
    ).save(p),
}


@pytest.fixture
def root(tmp_path):
    folder.write(tmp_path)
    return tmp_path


@pytest.mark.parametrize('kind', WRONG)
def test_a_wrong_map_is_named(root, kind):
    path = root / 'seg/0.png'
    path.unlink()
    WRONG[kind](path)
    named = re.escape(str(path))
    with pytest.raises(ValueError, match=named):
        panoptic(root)[0]
    with pytest.raises(ValueError, match=named):
        evaluate(root, [perfect(0), perfect(1)])
    names = folder.METAINFO['classes']
    truth = GroundTruth(root / 'panoptic.json', names, maps=root / 'seg')
    with pytest.raises(UserError, match=named):
        truth.segments(0, IDS.shape)


def test_a_map_of_another_size_is_named(root):
    folder.write_png(root / 'seg/0.png', np.kron(IDS, np.ones((2, 2), int)))
    with pytest.raises(ValueError, match=r'seg/0.png is of 12 x 16 pixels'):
        panoptic(root)[0]
    with pytest.raises(ValueError, match=r'seg/0.png'):
        evaluate(root, [perfect(0), perfect(1)])


@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
@pytest.mark.parametrize('orientation', [None, 3, 6])
def test_alpha_and_orientation_change_no_id(tmp_path, orientation, backend):
    """Ids stay where they are stored, for `check` as for training."""
    rgba = np.stack(
        [IDS % 256, IDS // 256 % 256, IDS // 65536, IDS * 0 + 9], -1
    )
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    path = tmp_path / 'a.png'
    Image.fromarray(rgba.astype('uint8')).save(path, exif=exif)
    got = read_segment_ids(str(path), imdecode_backend=backend)
    np.testing.assert_array_equal(got, IDS)
    (fact,) = read_maps([path])
    assert fact.size == IDS.shape[::-1]
    found, counts = np.unique(IDS, return_counts=True)
    assert fact.areas == dict(zip(found, counts, strict=True))


def test_a_segment_of_no_area_may_be_missing(root):
    change(
        root,
        lambda c: c['annotations'][0]['segments_info'].append(
            {'id': 77, 'category_id': 7, 'area': 0, 'bbox': [0, 0, 0, 0]}
        ),
    )
    assert len(panoptic(root)[0]['gt_masks']) == 1
    names = folder.METAINFO['classes']
    truth = GroundTruth(root / 'panoptic.json', names, maps=root / 'seg')
    # Two of one image and the crowd; nothing is drawn of the fourth.
    found = truth.segments(0, IDS.shape)
    assert sum(s.mask is not None for s in found) == 3


@pytest.mark.parametrize('null', [False, True])
def test_the_metainfo_says_what_the_file_does_not(root, null):
    def hide(content):
        for category in content['categories']:
            category.pop('isthing')
            if null:
                category['isthing'] = None

    expected = panoptic(root).get_data_info(0)
    change(root, hide)
    assert panoptic(root).get_data_info(0) == expected
    change(root, lambda c: c['categories'][0].update(isthing='1'))
    with pytest.raises(ValueError, match=r"categories\[0\].isthing is '1'"):
        panoptic(root)


@pytest.mark.parametrize(
    ('options', 'left'), [({}, 3), ({'filter_empty_gt': True}, 2)]
)
def test_images_of_stuff_alone_are_trained_on(tmp_path, options, left):
    folder.write(tmp_path)

    def stuff_alone_and_nothing(content):
        first, second = content['annotations']
        first['segments_info'] = [
            s for s in first['segments_info'] if s['id'] == folder.SKY
        ]
        content['images'].append({**content['images'][1], 'id': 99})
        content['annotations'].append(
            {**second, 'image_id': 99, 'segments_info': []}
        )

    change(tmp_path, stuff_alone_and_nothing)
    found = panoptic(tmp_path, filter_cfg=options)
    assert len(found) == left
    assert list(segments(found, 0)) == [folder.SKY]
    with pytest.raises(ValueError, match='none of the 3 images'):
        len(panoptic(tmp_path, filter_cfg={'min_size': 7}))
