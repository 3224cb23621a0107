"""The tools show a model the pixels that its config's loader reads."""

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmdet.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, DefaultScope
from mmengine.structures import InstanceData, PixelData
from PIL import Image

from mmseg_plugin.cli.cli import UserError
from tests.test_tools.colour_model import SIZE, call, write_data, write_model
from tools import compare_predictions, predict, show_query

SEEN = []
DINO = 'maskdino_tiny_demo_scenes'


@MODELS.register_module()
class RecordingModel(BaseModel):
    """Finds the whole image and keeps what it was given."""

    def __init__(self):
        super().__init__()
        self.score = torch.nn.Parameter(torch.tensor(0.0))

    def forward(self, inputs, data_samples, mode='tensor'):
        for image, sample in zip(inputs, data_samples, strict=True):
            SEEN.append(image)
            shape = (1, *image.shape[1:])
            sample.pred_instances = InstanceData(
                bboxes=torch.zeros(1, 4),
                labels=torch.zeros(1, dtype=torch.long),
                masks=torch.ones(shape, dtype=torch.bool),
                scores=torch.ones(1),
            )
            ids = torch.zeros(shape, dtype=torch.long)
            sample.pred_panoptic_seg = PixelData(sem_seg=ids)
        return data_samples


@TRANSFORMS.register_module()
class LoadSeven(BaseTransform):
    """Seven channels of floats, as of a spectral camera."""

    def transform(self, results):
        image = cv2.imread(results['img_path'])[..., :1].astype(np.float64)
        image = image * np.linspace(-1, 1, 7)
        size = image.shape[:2]
        return {**results, 'img': image, 'img_shape': size, 'ori_shape': size}


def turned(path):
    """Stored lying, to be seen standing."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(colours()).save(path, exif=exif)


def colours(channels=3, dtype=np.uint8):
    most = np.iinfo(dtype).max
    random = np.random.default_rng(0)
    return random.integers(0, most, (*SIZE, channels), dtype).squeeze()


def writes(array):
    return lambda path: Image.fromarray(array).save(path)


FILE = 'LoadImageFromFile'
KINDS = {
    'color': ({}, writes(colours())),
    'turned': ({}, turned),
    'as stored': ({'color_type': 'color_ignore_orientation'}, turned),
    'grey': ({'color_type': 'grayscale'}, writes(colours())),
    'four channels': ({'color_type': 'unchanged'}, writes(colours(4))),
    'sixteen bits': (
        {'color_type': 'unchanged'},
        writes(colours(1, np.uint16)),
    ),
    'pillow': (
        {'imdecode_backend': 'pillow', 'color_type': 'grayscale'},
        writes(colours()),
    ),
    'floats': ({'to_float32': True}, writes(colours())),
    'backend': ({'backend_args': {'backend': 'local'}}, writes(colours())),
    'own': ({'type': 'LoadSeven'}, writes(colours())),
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def scene(request, tmp_path):
    """Config, checkpoint and image, and what the data set gives for it."""
    options, write = request.param
    SEEN.clear()
    write_data(tmp_path)
    config, checkpoint = write_model(tmp_path)
    text = config.read_text()
    text = text.replace('ColourModel', 'RecordingModel')
    text = text.replace("kinds=('instances',)", '')
    load = {'type': FILE, **options}
    text = text.replace("dict(type='LoadImageFromFile')", repr(load))
    text = text.replace('[load, annotations, pack]', '[load, pack]')
    things = "classes=('red', 'green'), thing_classes=('red', 'green')"
    config.write_text(text.replace("classes=('red', 'green')", things))
    # OpenCV reads a JPEG's orientation, Pillow's arrays have none.
    image = tmp_path / 'images' / 'a.png'
    write(image)
    cfg = Config.fromfile(config)
    with DefaultScope.overwrite_default_scope('mmdet'):
        data = DATASETS.build(cfg.test_dataloader.dataset)[0]
    assert data['data_samples'].img_path.endswith('a.png')
    return config, checkpoint, image, data['inputs']


def test_predict(scene, monkeypatch, tmp_path):
    config, checkpoint, image, want = scene
    where = ['--device', 'cpu', '--out', tmp_path / 'out']
    call(predict.main, monkeypatch, config, checkpoint, image, *where)
    (seen,) = SEEN
    assert seen.dtype == want.dtype
    torch.testing.assert_close(seen, want, rtol=0, atol=0)
    assert cv2.imread(str(tmp_path / 'out' / 'drawn' / 'a.png')).any()


def test_predict_in_tiles(scene, monkeypatch, tmp_path):
    config, checkpoint, image, want = scene
    where = ['--device', 'cpu', '--out', tmp_path / 'out', '--tile', 32]
    call(predict.main, monkeypatch, config, checkpoint, image, *where)
    small, *tiles = SEEN
    assert max(small.shape[1:]) == 32
    assert small.dtype == want.dtype
    torch.testing.assert_close(
        small.float().mean((1, 2)),
        want.float().mean((1, 2)),
        rtol=0.03,
        atol=2,
    )
    torch.testing.assert_close(tiles[0], want[:, :32, :32], rtol=0, atol=0)
    torch.testing.assert_close(tiles[-1], want[:, -32:, -32:], rtol=0, atol=0)


def test_compare_predictions(scene, monkeypatch, tmp_path):
    config, checkpoint, image, want = scene
    if want.shape[1:] != SIZE:
        pytest.skip('the annotations are of the stored size')
    both = [config, checkpoint] * 2
    where = ['--device', 'cpu', '--out', tmp_path / 'out']
    ann = ['--ann', tmp_path / 'ann.json']
    call(compare_predictions.main, monkeypatch, *both, image, *ann, *where)
    assert len(SEEN) == 2
    for seen in SEEN:
        torch.testing.assert_close(seen, want, rtol=0, atol=0)


def test_two_sizes_of_one_image(monkeypatch, tmp_path):
    write_data(tmp_path)
    config, checkpoint = write_model(tmp_path, kinds=('panoptic',))
    text = config.read_text()
    things = "classes=('red', 'green'), thing_classes=('red', 'green')"
    text = text.replace("classes=('red', 'green')", things)
    config.write_text(text)
    other = tmp_path / 'other.py'
    keep = "File', color_type='color_ignore_orientation'"
    other.write_text(text.replace("File'", keep))
    image = tmp_path / 'images' / 'a.png'
    turned(image)
    with pytest.raises(UserError, match='as 60x40 and 40x60 pixels'):
        call(
            compare_predictions.main,
            monkeypatch,
            *(other, checkpoint, config, checkpoint, image),
            *('--ann', tmp_path / 'ann.json', '--out', tmp_path / 'out'),
            *('--device', 'cpu'),
        )
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('kind', 'x', 'says'),
    [
        ('color', 0, 'enough'),
        ('turned', 0, 'enough'),
        ('as stored', 0, 'enough'),
        ('color', 1000, r'--at 1000 0 is outside of .*a\.png, 60 pixels wide'),
    ],
)
def test_show_query(kind, x, says, monkeypatch, tmp_path):
    options, write = KINDS[kind]
    image = tmp_path / 'a.png'
    write(image)
    size = SIZE[::-1] if kind == 'turned' else SIZE
    seen = []

    def record(model, inputs, sample, *_):
        seen.append(sample.ori_shape)
        raise ValueError('enough')

    cfg = show_query.read_model_config(DINO)
    cfg.test_dataloader.dataset.pipeline[0].update(options)
    monkeypatch.setattr(show_query, 'read_model_config', lambda name: cfg)
    monkeypatch.setattr(show_query, 'query_views', record)
    monkeypatch.setattr(
        'mmseg_plugin.apis.predictor.load_weights', lambda *_: None
    )
    with pytest.raises(UserError, match=says):
        call(
            show_query.main,
            monkeypatch,
            *(image, tmp_path / 'out.png', '--model', DINO, 'x.pth'),
            *('--at', x, 0),
        )
    assert seen == [size] * (says == 'enough')


def test_a_loader_that_fails_is_named(monkeypatch, tmp_path):
    write_data(tmp_path)
    config, checkpoint = write_model(tmp_path)
    (tmp_path / 'images' / 'a.png').write_bytes(b'nothing')
    where = ['--device', 'cpu', '--out', tmp_path / 'out']
    with pytest.raises(UserError, match=r'a\.png cannot be .*LoadImageFromF'):
        call(
            predict.main,
            monkeypatch,
            *(config, checkpoint, tmp_path / 'images', *where),
        )
    assert not (tmp_path / 'out').exists()
