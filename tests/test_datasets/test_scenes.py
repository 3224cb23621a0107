"""Synthetic scenes: what is written agrees with itself, pixel by pixel."""

import json

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from mmseg_plugin.datasets.scenes import (
    MAX_INSTANCES,
    STUFF,
    THINGS,
    UNLABELLED,
    SceneOptions,
    make_scene,
    write_scenes,
)
from mmseg_plugin.datasets.scenes.shapes import OUTLINES, draw_shape

COUNTS = {'train': 6, 'val': 3}
OPTIONS = SceneOptions(size=(96, 128), instances=(1, 12), empty_share=0.3)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('scenes')
    write_scenes(path, COUNTS, seed=3, options=OPTIONS)
    return path


def _read_ids(path):
    blue, green, red = cv2.imread(str(path)).astype(int).transpose(2, 0, 1)
    return red + 256 * green + 65536 * blue


@pytest.mark.parametrize('split', list(COUNTS))
def test_instances_panoptic_and_semantic_agree(folder, split):
    annotations = folder / 'annotations'
    coco = COCO(annotations / f'instances_{split}.json')
    panoptic = json.loads((annotations / f'panoptic_{split}.json').read_text())
    assert len(coco.imgs) == COUNTS[split] == len(panoptic['annotations'])
    assert panoptic['images'] == list(coco.imgs.values())
    names = [c['name'] for c in panoptic['categories']]
    assert names == [*THINGS, *STUFF]
    assert [c['isthing'] for c in panoptic['categories']] == [1] * 6 + [0] * 3
    assert list(coco.cats.values()) == panoptic['categories'][:6]
    for entry in panoptic['annotations']:
        image = coco.imgs[entry['image_id']]
        pixels = cv2.imread(str(folder / split / image['file_name']))
        assert (
            pixels.shape
            == (96, 128, 3)
            == (
                image['height'],
                image['width'],
                3,
            )
        )
        name = entry['file_name']
        ids = _read_ids(annotations / f'panoptic_{split}' / name)
        semantic = cv2.imread(
            str(annotations / f'semantic_{split}' / name),
            cv2.IMREAD_UNCHANGED,
        )
        segments = entry['segments_info']
        assert {s['id'] for s in segments} == set(np.unique(ids)) - {0}
        for segment in segments:
            mask = ids == segment['id']
            assert segment['area'] == mask.sum()
            assert segment['bbox'] == _box(mask)
            assert set(semantic[mask]) == {segment['category_id'] - 1}
        assert np.array_equal(ids == 0, semantic == UNLABELLED)
        things = [s for s in segments if s['category_id'] <= len(THINGS)]
        instances = coco.imgToAnns[entry['image_id']]
        assert len(instances) == len(things)
        for instance, segment in zip(instances, things, strict=True):
            mask = coco.annToMask(instance)
            assert np.array_equal(mask, ids == segment['id'])
            for key in ('category_id', 'bbox', 'area', 'iscrowd'):
                assert instance[key] == segment[key]


def _box(mask):
    rows, columns = np.nonzero(mask)
    left, top = columns.min(), rows.min()
    return [left, top, columns.max() - left + 1, rows.max() - top + 1]


def test_image_depends_on_seed_split_and_index_alone(folder, tmp_path):
    write_scenes(tmp_path / 'a', {'val': 2}, seed=3, options=OPTIONS)
    for name in ('val/000002.jpg', 'annotations/panoptic_val/000002.png'):
        again = (tmp_path / 'a' / name).read_bytes()
        assert again == (folder / name).read_bytes()
    image, _ = make_scene(OPTIONS, 3, 'val', 1)
    for other in [(4, 'val', 1), (3, 'train', 1), (3, 'val', 0)]:
        assert not np.array_equal(image, make_scene(OPTIONS, *other)[0])


def test_empty_images():
    image, layout = make_scene(SceneOptions(empty_share=1.0), 0, 'a', 0)
    assert layout.things == []
    assert not layout.instance_map.any()
    assert image.std() > 0


def test_no_empty_images_unless_asked_for():
    options = SceneOptions((64, 64), (1, 1), empty_share=0.0)
    counts = [len(make_scene(options, 0, 'a', k)[1].things) for k in range(9)]
    assert counts == [1] * 9


def test_empty_split_is_valid(tmp_path):
    write_scenes(tmp_path, {'val': 0}, seed=0, options=OPTIONS)
    assert COCO(tmp_path / 'annotations/instances_val.json').imgs == {}


def test_crowded_image_holds_300_instances():
    options = SceneOptions(
        instances=(MAX_INSTANCES, MAX_INSTANCES), empty_share=0.0
    )
    _, layout = make_scene(options, 0, 'a', 0)
    assert len(layout.things) == MAX_INSTANCES == layout.instance_map.max()


def test_instances_are_varied_and_occlude_each_other():
    scenes = [make_scene(SceneOptions(), 0, 'a', k)[1] for k in range(40)]
    things = [t for s in scenes for t in s.things]
    assert {t.label for t in things} == set(range(len(THINGS)))
    sizes = [t.size for t in things]
    assert 6 <= min(sizes) < 8
    assert 100 < max(sizes) <= 128
    hidden = touching = 0
    for layout in scenes:
        for i, thing in enumerate(layout.things):
            full, _ = draw_shape(
                THINGS[thing.label], (64, 64), thing.size, thing.angle
            )
            visible = layout.instance_map == i + 1
            hidden += visible.sum() < 0.6 * full.sum()
            around = cv2.dilate(visible.astype(np.uint8), np.ones((3, 3)))
            near = set(layout.instance_map[around > 0]) - {0, i + 1}
            touching += any(
                layout.things[j - 1].label == thing.label for j in near
            )
    assert hidden > 0.05 * len(things)
    assert touching > 0.1 * len(things)


def test_small_share_sets_the_sizes():
    options = SceneOptions(small_share=1.0, empty_share=0.0)
    _, layout = make_scene(options, 0, 'a', 0)
    assert all(6 <= t.size <= 16 for t in layout.things)
    options = SceneOptions(instances=(1, 1), small_share=0.0, empty_share=0.0)
    sizes = [
        t.size
        for k in range(9)
        for t in make_scene(options, 0, 'a', k)[1].things
    ]
    assert min(sizes) > 10


def test_neighbours_are_of_one_class():
    options = SceneOptions(instances=(9, 9), neighbour_share=1.0)
    for k in range(5):
        _, layout = make_scene(options, 0, 'a', k)
        assert len({thing.label for thing in layout.things}) <= 1


@pytest.mark.parametrize('name', THINGS)
def test_shape_fits_its_circle(name):
    mask, (left, top) = draw_shape(name, (50.0, 40.0), 20.0, 0.7)
    rows, columns = np.nonzero(mask)
    distance = np.hypot(columns + left - 50, rows + top - 40)
    assert 9 <= distance.max() <= 11
    assert mask.sum() > 0.2 * np.pi * 10**2
    assert set(OUTLINES) == set(THINGS)


def test_ring_has_a_hole():
    mask, (left, top) = draw_shape('ring', (50.0, 40.0), 20.0, 0.0)
    assert not mask[40 - top, 50 - left]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'size': (31, 64)}, 'size must be at least 32 px'),
        ({'instances': (5, 4)}, 'got 5 and 4'),
        ({'instances': (0, 4)}, 'within 1 to 300'),
        ({'instances': (1, 301)}, 'within 1 to 300'),
        ({'small_share': 1.5}, 'small_share must be within 0 and 1'),
        ({'neighbour_share': -1}, 'neighbour_share must be within 0 and 1'),
        ({'empty_share': float('nan')}, 'empty_share must be within 0 and 1'),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        SceneOptions(**options)
