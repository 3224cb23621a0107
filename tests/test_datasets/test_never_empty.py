"""Files without images, options that leave none, byte-order marks."""

import codecs
import re
from pathlib import Path

import pytest

from mmseg_plugin.apis.ground_truth import GroundTruth
from mmseg_plugin.apis.labels import listed_classes
from mmseg_plugin.datasets.structure import read_json
from tests.test_datasets.test_coco_by_name import (
    CLASSES,
    data_set,
    edit,
    instances,
    labels,
)


def test_a_set_without_images_is_named(tmp_path):
    path = instances(tmp_path)
    small = {'filter_empty_gt': True, 'min_size': 32}
    with pytest.raises(ValueError, match='none of the 2 images of .*truth'):
        data_set(path, tmp_path, filter_cfg=small)
    for indices in (0, [], ()):
        says = f'{re.escape(repr(indices))} leaves none of the 2 images of '
        with pytest.raises(ValueError, match=f'indices={says}.*truth.json'):
            data_set(path, tmp_path, indices=indices)
    with pytest.raises(ValueError, match='indices of .*json go beyond its 2'):
        data_set(path, tmp_path, indices=[1, 2])
    assert len(data_set(path, tmp_path, indices=-1)) == 1
    edit(path, lambda c: c.update(images=[]))
    with pytest.raises(ValueError, match='truth.json lists no image'):
        data_set(path, tmp_path, test_mode=True)


def test_a_byte_order_mark_is_no_fault(tmp_path):
    """Tools of Windows write it; `new` and `check` read on, so do all."""
    path = Path(instances(tmp_path))
    sound = labels(data_set(str(path), tmp_path))
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    assert labels(data_set(str(path), tmp_path)) == sound
    assert read_json(str(path))['images']
    assert listed_classes(path) == list(CLASSES)
    truth = GroundTruth(path, CLASSES, tmp_path)
    assert truth.category_ids == [5, 90]
