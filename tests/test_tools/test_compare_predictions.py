import mmcv
import pytest

from mmseg_plugin.cli.cli import UserError
from tests.test_tools.colour_model import (
    SCENES,
    SIZE,
    call,
    write_data,
    write_model,
)
from tools import compare_predictions


@pytest.fixture
def run(tmp_path, monkeypatch):
    write_data(tmp_path)
    config, checkpoint = write_model(tmp_path, kinds=('panoptic',))
    text = config.read_text()
    things = "classes=('red', 'green'), thing_classes=('red', 'green')"
    config.write_text(text.replace("classes=('red', 'green')", things))

    def run(*arguments, other=config, images='images', ann='ann.json'):
        call(
            compare_predictions.main,
            monkeypatch,
            *(config, checkpoint, other, checkpoint, tmp_path / images),
            *('--ann', tmp_path / ann, '--out', tmp_path / 'out'),
            *('--device', 'cpu', *arguments),
        )
        return tmp_path / 'out'

    run.config = config
    return run


def test_pictures_of_every_annotated_image(run):
    out = run()
    height, width = SIZE
    scale = round(768 / width)
    for name in SCENES:
        whole = mmcv.imread(out / 'panoptic' / name)
        # Ground truth and two models, below a title.
        assert whole.shape == (22 + scale * height, 3 * scale * width, 3)
        thing = out / 'things' / name
        assert thing.exists() == (name != 'empty.png')
    first = mmcv.imread(out / 'things' / 'a.png')
    assert first.shape == (22 + height, 3 * width, 3)
    # Both models are the same one.
    left, right = first[22:, width : 2 * width], first[22:, 2 * width :]
    assert (left == right).all()


def test_limit(run):
    assert len(list((run('--limit', '1') / 'panoptic').rglob('*.png'))) == 1


def test_an_image_without_annotations(run, tmp_path):
    mmcv.imwrite(
        mmcv.imread(tmp_path / 'images/a.png'), str(tmp_path / 'x/y.png')
    )
    with pytest.raises(UserError, match='has no image of'):
        run(images='x')


def test_other_classes(run, tmp_path):
    other = tmp_path / 'other.py'
    text = run.config.read_text()
    other.write_text(text.replace("'green'", "'blue'"))
    with pytest.raises(UserError, match='different classes'):
        run(other=other)


def test_not_panoptic(run, tmp_path):
    other = tmp_path / 'other.py'
    other.write_text(run.config.read_text().replace('thing_classes', 'things'))
    with pytest.raises(UserError, match='not for panoptic'):
        run(other=other)
