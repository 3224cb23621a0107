"""Pictures of what a model is given: by hook and by `browse`."""

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import Config
from mmengine.structures import InstanceData, PixelData

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.visualization.browsing import browse
from mmseg_plugin.visualization.inputs import (
    contact_sheet,
    draw_input,
    sample_segments,
)
from mmseg_plugin.visualization.pictures_hook import PicturesHook
from tests.test_apis.test_new_data import new
from tests.test_datasets.test_formats import writers

META = {'classes': ('cat', 'dog', 'sky'), 'thing_classes': ('cat', 'dog')}


def sample(masks=True, stuff=True):
    found = DetDataSample()
    one = np.zeros((2, 20, 30), np.uint8)
    one[0, 4:9, 5:15] = 1
    fields = {'masks': BitmapMasks(one, 20, 30)} if masks else {}
    found.gt_instances = InstanceData(
        labels=torch.tensor([1, 0]),
        bboxes=torch.tensor([[5.0, 4, 15, 9], [1, 1, 3, 3]]),
        **fields,
    )
    if stuff:
        labels = torch.full((1, 20, 30), 2)
        labels[0, 4:9, 5:15] = 1
        found.gt_sem_seg = PixelData(sem_seg=labels)
    return found


def test_things_are_instances_and_stuff_is_of_the_map():
    segments = sample_segments(sample(), META)
    # The second object was cut off.
    assert [s.label for s in segments] == [1, 2]
    assert segments[0].mask.sum() == 50
    boxes = sample_segments(sample(masks=False, stuff=False), META)
    assert [(s.label, s.mask) for s in boxes] == [(1, None), (0, None)]
    bare = DetDataSample(gt_instances=InstanceData())
    assert sample_segments(bare, META) == []


def test_a_sheet_holds_all_pictures():
    drawn = draw_input(torch.full((3, 20, 30), 9.0), sample(), META)
    assert drawn.dtype == np.uint8
    sheet = contact_sheet([drawn] * 5, columns=2, width=60)
    assert sheet.shape[1] == 2 * 66
    assert sheet.shape[0] == 3 * contact_sheet([drawn], width=60).shape[0]


def test_a_picture_that_cannot_be_drawn_stops_no_run(tmp_path):
    said = []

    class Runner:
        work_dir = str(tmp_path)

        class logger:
            warning = said.append

    hook = PicturesHook()
    for _ in range(2):
        hook.before_train_iter(Runner, 0, {'inputs': 3})
    assert len(said) == 1
    assert 'PicturesHook draws no more' in said[0]
    with pytest.raises(ValueError, match='negative'):
        PicturesHook(batch=-1)


def test_browse_draws_the_same_samples_again(tmp_path):
    writers.write_panoptic(tmp_path / 'data')
    config = Config.fromfile(new(tmp_path / 'data', tmp_path / 'x.py'))
    first, again = ([*browse(config, 'train', 3, seed=1)] for _ in range(2))
    assert len(first) == 3
    for (name, one), (other, two) in zip(first, again, strict=True):
        assert name == other
        assert name.endswith('.png')
        np.testing.assert_array_equal(one, two)
    config.test_dataloader = None
    with pytest.raises(UserError, match='no test_dataloader'):
        list(browse(config, 'test', 3))


def test_the_tool_writes_a_folder_and_a_sheet(run_tool, tmp_path):
    writers.write_coco(tmp_path / 'data')
    new(tmp_path / 'data', tmp_path / 'x.py')
    done = run_tool('browse', 'x.py', '--out', 'out', '--samples', 2)
    assert done.returncode == 0, done.stderr
    names = sorted(p.name for p in (tmp_path / 'out').iterdir())
    assert names[-1] == 'sheet.jpg'
    assert len(names) == 3
    assert cv2.imread(str(tmp_path / 'out' / 'sheet.jpg')) is not None
