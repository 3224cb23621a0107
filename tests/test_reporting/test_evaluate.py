"""Images and their truth, as reports find and draw them."""

import cv2
import pytest
from mmengine.config import Config
from PIL import Image

from mmseg_plugin.reporting.evaluate import evaluate
from mmseg_plugin.reporting.measures import measure
from mmseg_plugin.reporting.run_files import RunFiles
from mmseg_plugin.reporting.sections.images import images
from mmseg_plugin.reporting.view import JudgedView, RunView
from tests.test_apis.test_ground_truth import rename
from tests.test_tools.colour_model import write_data, write_model
from tests.test_tools.test_names import categories


@pytest.mark.parametrize('joined', [False, True])
def test_every_image_gets_its_truth(tmp_path, joined):
    """Two images of one name, one of them stored lying.

    The file lists the categories in another order than the metainfo.
    """
    write_data(tmp_path)
    categories(tmp_path, 'ann.json', ['green', 'red'])
    for name in ('b.png', 'sub/b.png'):
        path = tmp_path / 'images' / name
        turned = Image.Exif()
        turned[0x0112] = 6
        source = path.with_name('a.png') if name == 'b.png' else path
        stored = cv2.imread(str(source), cv2.IMREAD_IGNORE_ORIENTATION | 1)
        Image.fromarray(stored[..., ::-1].copy()).save(path, exif=turned)
    rename(tmp_path, 'b.png')
    config, checkpoint = write_model(tmp_path)
    text = config.read_text().replace(
        'mmdet.CocoDataset', 'mmseg_plugin.CocoInstanceDataset'
    )
    text = text.replace(
        "type='LoadImageFromFile'",
        "type='LoadImageFromFile', color_type='color_ignore_orientation'",
    )
    if joined:
        text += (
            "one = val_dataloader['dataset']\n"
            "both = dict(type='ConcatDataset', datasets=[one, one])\n"
            "val_dataloader['dataset'] = both\n"
            "del val_evaluator[0]['ann_file']\n"
        )
    config.write_text(text)
    files = RunFiles(tmp_path, Config.fromfile(config), checkpoint=checkpoint)
    (judged,) = evaluate(files, 0, 'cpu')
    counts = [len(record.truth) for record in judged.images]
    assert counts == [2, 2, 0] * (2 if joined else 1)
    assert measure(judged).total == 1
    drawn = images(RunView(files, 'x', [JudgedView(judged)]))
    assert drawn.count('data:image') == (4 if joined else 2)
    assert 'cannot be read' not in drawn
