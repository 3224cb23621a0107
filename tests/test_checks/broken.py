"""What each check finds, as the smallest change of clean data."""

import copy
from dataclasses import replace

import numpy as np
from PIL import Image
from pycocotools import mask as coder

from mmseg_plugin.checks import Options
from tests.test_checks.clean_data import (
    SIZE,
    clean,
    other,
    panoptic,
    picture,
    rle,
    save_map,
    semantic,
    square,
)


def first(**fields):
    """Breaks the first annotation."""

    def change(snapshot):
        snapshot.annotations[0].update(copy.deepcopy(fields))

    return change


def every(**fields):
    def change(snapshot):
        for annotation in snapshot.annotations:
            annotation.update(copy.deepcopy(fields))

    return change


def without(key):
    return lambda snapshot: snapshot.annotations[0].pop(key)


def polygon(*values):
    return first(segmentation=[list(values)])


def category(**fields):
    return lambda s: s.categories[0].update(fields)


def added(**fields):
    return lambda s: s.categories.append(fields)


def image(**fields):
    return lambda s: s.images[0].update(fields)


def file(name='a.png', **kwargs):
    return lambda s: picture(s.image_dir / name, 0, **kwargs)


def truncated(snapshot):
    path = snapshot.image_dir / 'a.png'
    path.write_bytes(path.read_bytes()[:-900])


def turned(snapshot):
    exif = Image.Exif()
    exif[0x0112] = 6
    file(exif=exif)(snapshot)


def turned_map(snapshot):
    """An image that is loaded standing, and a map of it lying."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file(exif=exif, size=(SIZE, SIZE // 2))(snapshot)
    labels = np.zeros((SIZE // 2, SIZE), np.uint8)
    labels[:8] = 1
    save_map(snapshot.image_dir, labels, grey=True)


def leaking(shift):
    """The first image is one of training, or one brightened a little."""

    def change(snapshot):
        there = snapshot.reference.image_dir / 'b.png'
        pixels = np.asarray(Image.open(snapshot.image_dir / 'a.png'))
        mixed = np.clip(pixels.astype(int) + shift, 0, 255).astype('uint8')
        Image.fromarray(mixed).save(there)

    return change


def same_image(snapshot):
    snapshot.images[1]['file_name'] = 'a.png'


def one_class(snapshot):
    for annotation in snapshot.reference.annotations:
        annotation['category_id'] = 3


def crowd_class(snapshot):
    for annotation in snapshot.annotations:
        annotation['iscrowd'] = int(annotation['category_id'] == 5)


def boxes(snapshot):
    for a in snapshot.annotations:
        x, y, w, h = a['bbox']
        a['segmentation'] = [[x, y, x + w, y, x + w, y + h, x, y + h]]


def doubled(snapshot):
    again = copy.deepcopy(snapshot.annotations[0])
    snapshot.annotations.append({**again, 'id': 99})


def few(snapshot):
    snapshot.annotations[:] = snapshot.annotations[:6]


def segment(**fields):
    return lambda s: s.annotations[0]['segments_info'][1].update(fields)


def only_a_crowd(snapshot):
    snapshot.annotations[0]['segments_info'][0]['iscrowd'] = 1
    entry = {**snapshot.annotations[0], 'segments_info': None}
    snapshot.annotations.append(entry)


def pixels(values, **kwargs):
    """A map whose upper rows have these ids."""

    def change(snapshot):
        ids = np.ones((SIZE, SIZE), np.uint8)
        for row, value in enumerate(values):
            ids[row] = value
        save_map(snapshot.image_dir, ids, **kwargs)

    return change


def smaller_map(grey):
    ids = np.ones((SIZE, SIZE // 2), np.uint8)
    ids[:8] = 2 - grey
    return lambda s: save_map(s.image_dir, ids, grey)


def no_things(snapshot):
    snapshot.categories[0]['isthing'] = 0


def two_pieces(snapshot):
    segments = snapshot.annotations[0]['segments_info']
    segments[0]['category_id'] = 2


def ring(snapshot):
    mask = np.zeros((SIZE, SIZE), np.uint8, order='F')
    mask[2:12, 2:12] = 1
    mask[5:9, 5:9] = 0
    found = coder.encode(mask)
    shape = {'size': [SIZE] * 2, 'counts': found['counts'].decode()}
    snapshot.annotations[0].update(segmentation=shape)


def gap(snapshot):
    snapshot.categories[1]['id'] = 9
    for annotation in snapshot.annotations:
        if annotation['category_id'] == 5:
            annotation['category_id'] = 9


def mixed_rle(snapshot):
    whole = {'size': [SIZE] * 2, 'counts': [0, SIZE * SIZE]}
    snapshot.annotations[0]['segmentation'] = rle(1)
    snapshot.annotations[1]['segmentation'] = whole


def other_things(snapshot):
    snapshot.reference = replace(snapshot, data=copy.deepcopy(snapshot.data))
    snapshot.reference.categories[1]['isthing'] = 1


def crowd_rle(snapshot):
    for annotation in snapshot.annotations[:10]:
        annotation.update(segmentation=rle(1), iscrowd=1)


INSTANCES = {
    'files.missing': image(file_name='none.png'),
    'files.unreadable': truncated,
    'files.size': image(width=33),
    'files.orientation': turned,
    'files.mode': file(mode='RGBA'),
    'files.orphan': file('c.png'),
    'files.name': image(file_name='/elsewhere/a.png'),
    'files.listed-twice': same_image,
    'ids.image-twice': image(id=8),
    'ids.annotation-twice': first(id=2),
    'ids.annotation-zero': first(id=0),
    'ids.annotation-missing': without('id'),
    'ids.too-large': first(id=2**53),
    'ids.unknown-image': first(image_id=99),
    'ids.unknown-category': first(category_id=99),
    'categories.none': lambda s: s.categories.clear(),
    'categories.same-name': added(id=9, name='dog'),
    'categories.same-id': added(id=5, name='cow'),
    'categories.like-name': added(id=9, name=' Dog'),
    'categories.root': added(id=0, name='animal', supercategory='none'),
    'categories.unused': added(id=9, name='cow'),
    'boxes.missing': without('bbox'),
    'boxes.empty': first(bbox=[1, 2, 0, 8]),
    'boxes.outside': first(bbox=[40, 2, 8, 8]),
    'boxes.beyond': first(bbox=[1, 2, 80, 8]),
    'boxes.not-of-mask': first(bbox=[8, 2, 8, 8]),
    'boxes.area-missing': without('area'),
    'boxes.area-zero': first(area=0),
    'boxes.area-not-of-mask': first(area=640),
    'polygons.short': polygon(1, 2, 9, 2),
    'polygons.broken': first(segmentation=[1, 2, 9, 2, 9, 10]),
    'polygons.outside': polygon(1, 2, 90, 2, 9, 10),
    'polygons.flat': polygon(1, 2, 9, 2, 5, 2),
    'polygons.many-points': polygon(*square(1, 2, 8) * 1200),
    'rle.size': first(segmentation=rle(1, (SIZE, SIZE + 1))),
    'rle.runs': first(segmentation={'size': [SIZE] * 2, 'counts': [3, 5]}),
    'polygons.crossing': polygon(1, 2, 9, 10, 9, 2, 1, 9),
    'polygons.inside': first(segmentation=[square(1, 2, 8), square(3, 4, 3)]),
    'rle.kinds': mixed_rle,
    'ids.sparse': gap,
    'rle.empty': first(segmentation=rle(0)),
    'masks.missing': first(segmentation=[]),
    'masks.one-pixel': first(area=1),
    'masks.vanish': first(area=15),
    'masks.many-parts': first(segmentation=[square(1, 2, 8)] * 21),
    'masks.holes': ring,
    'masks.twice': doubled,
    'crowd.all': every(iscrowd=1),
    'crowd.class': crowd_class,
    'crowd.rle': crowd_rle,
    'crowd.missing': without('iscrowd'),
    'crowd.value': first(iscrowd='0'),
    'crowd.ignore': first(ignore=1),
    'crowd.nothing': lambda s: s.annotations.clear(),
    'balance.few': few,
    'balance.empty-images': every(image_id=7),
    'leakage.same-file': leaking(0),
    'leakage.near': leaking(1),
    'leakage.new-class': one_class,
    'leakage.categories': lambda s: s.reference.categories[0].update(id=3),
    'exports.box-as-mask': boxes,
    'exports.box-short': first(segmentation=rle(1), bbox=[4, 4, 3, 3]),
    'exports.no-area': image(without_area=['shape 3 (line)']),
    'exports.crowd-area': first(iscrowd=1, area=0),
}
PANOPTIC = {
    'leakage.things': other_things,
    'panoptic.missing': lambda s: (s.seg_dir / 'a.png').unlink(),
    'panoptic.mode': pixels([2] * 8, grey=True),
    'panoptic.no-pixels': segment(id=9),
    'panoptic.no-segment': pixels([3] * 3 + [2] * 5),
    'panoptic.area': segment(area=1),
    'panoptic.id': segment(id=0),
    'panoptic.category': segment(category_id=9),
    'panoptic.no-things': no_things,
    'panoptic.nothing': only_a_crowd,
    'panoptic.stuff-pieces': two_pieces,
    'panoptic.void': pixels([0] * 20 + [2] * 8),
    'panoptic.size': smaller_map(False),
}
SEMANTIC = {
    'semantic.missing': lambda s: (s.seg_dir / 'a.png').unlink(),
    'semantic.mode': pixels([1] * 8),
    'semantic.values': pixels([7]),
    'semantic.void': pixels([255] * 20),
    'semantic.size': smaller_map(True),
    'semantic.two-values': pixels([255] * 20),
}
# Checks of images see those of label maps too.
IMAGES_OF_MAPS = {
    'files.missing': lambda s: (s.image_dir / 'a.png').unlink(),
    'files.unreadable': truncated,
    'files.orientation': turned,
    'files.mode': file(mode='RGBA'),
    'leakage.same-file': leaking(0),
    'leakage.near': leaking(1),
    'semantic.size': turned_map,
}
# Found by what the config says, in data that is all right.
OPTIONS = {
    'categories.not-in-file': {'classes': ('cat', 'cow', 'dog')},
    'categories.order': {'classes': ('dog', 'cat')},
    'masks.vanish-resized': {'scale': (12, 12)},
    'balance.queries': {'num_queries': 14},
    'balance.detections': {'max_dets': 14},
}
MAKERS = (
    (INSTANCES, clean),
    (OPTIONS, clean),
    (PANOPTIC, panoptic),
    (SEMANTIC, semantic),
)


def make(name, folder):
    """The smallest failing data of a check.

    Returns:
        Data that passes, data that does not, and options.
    """
    folder.mkdir(exist_ok=True)
    table, maker = next(row for row in MAKERS if name in row[0])
    options = Options(few=0 if maker is panoptic else 10)
    if maker is semantic:
        options = replace(options, classes=('grass', 'sky'))
    good = maker(folder / 'good') if maker is clean else None
    if good is None:
        (folder / 'good').mkdir()
        good = maker(folder / 'good')
    if maker is clean:
        good.reference = other(folder / 'good')
    bad = replace(good, data=copy.deepcopy(good.data))
    if table is OPTIONS:
        return good, bad, options, replace(options, **OPTIONS[name])
    return good, bad, options, options


def spoil(name, snapshot):
    """Breaks a snapshot so that the check finds it."""
    for table, _ in MAKERS:
        change = table.get(name)
        if callable(change):
            change(snapshot)
