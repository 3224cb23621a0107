"""Image files of every kind, whole and damaged, given to readers."""

import random
import shutil
from pathlib import Path

import numpy as np
from mmengine.config import Config
from PIL import Image

from mmseg_plugin.apis.predictor import Predictor
from tests.soak.hostile.outcome import damaged_bytes, note, outcome
from tests.test_tools.colour_model import write_data, write_model
from tools import predict

MODES = ('L', 'I;16', 'CMYK', 'P', 'RGBA', 'LA', '1', 'RGB', 'F', 'YCbCr')
SIZES = ((40, 30), (1, 1), (30_000, 10), (3, 200))
FORMATS = {'.png': 'PNG', '.jpg': 'JPEG', '.tif': 'TIFF', '.bmp': 'BMP'}
FORMATS |= {'.webp': 'WEBP'}
SUFFIXES = list(FORMATS)


def hostile_image(path: Path, rng: random.Random) -> None:
    """Writes one, of a mode its format may not know."""
    size = rng.choice(SIZES)
    draw = np.random.default_rng(rng.randrange(2**32))
    # Coarse, as the model finds an object in every patch of one colour.
    coarse = draw.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    pixels = np.array(Image.fromarray(coarse).resize(size, 0))
    image = Image.fromarray(pixels)
    mode = rng.choice(MODES)
    note(f'image: {mode}')
    note(f'image: {size[0]} x {size[1]}')
    if mode == 'I;16':
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    else:
        image = image.convert(mode, dither=Image.Dither.NONE)
    exif = Image.Exif()
    exif[0x0112] = rng.randint(0, 9)
    options = {'exif': exif} if rng.random() < 0.3 else {}
    if options:
        note('image: EXIF orientation')
    try:
        image.save(path, FORMATS[path.suffix], **options)
    except (OSError, ValueError):
        # The format has no such mode or size.
        Image.fromarray(pixels[:50, :50]).save(path, 'PNG')
    if rng.random() < 0.5:
        path.write_bytes(damaged_bytes(path.read_bytes(), rng))


def case(rng: random.Random, folder: Path) -> int:
    """One image: read as `predict` does, or predicted on among others."""
    config, checkpoint = folder / 'config.py', folder / 'model.pth'
    if not config.exists():
        write_data(folder)
        write_model(folder)
    images = folder / 'hostile'
    shutil.rmtree(images, ignore_errors=True)
    images.mkdir()
    path = images / f'x{rng.choice(SUFFIXES)}'
    hostile_image(path, rng)
    if rng.random() < 0.9:
        return outcome(lambda: read(config, checkpoint, path))
    out = folder / 'out'
    for left in (out, folder / 'out.part'):
        shutil.rmtree(left, ignore_errors=True)
    words = (config, checkpoint, images, '--out', out, '--device', 'cpu')
    return outcome(predict.main, words, out)


_PREDICTORS: dict[Path, Predictor] = {}


def read(config: Path, checkpoint: Path, path: Path) -> None:
    """Reads, prepares and looks at an image."""
    if config not in _PREDICTORS:
        read_config = Config.fromfile(config)
        _PREDICTORS[config] = Predictor(read_config, str(checkpoint), 'cpu')
    predictor = _PREDICTORS[config]
    image = predictor.read(path)
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.size
    assert len(predictor(image).pred_instances) >= 0
