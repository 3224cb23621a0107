"""What few pipelines use is imported with its first use, not before."""

import importlib.util
import subprocess
import sys

import pytest

START = """
import sys
import numpy as np
import mmseg_plugin.registry
import mmdet.datasets.transforms as transforms
import mmdet.evaluation, mmdet.models
late = ('imgaug', 'imagecorruptions', 'numba', 'scipy.interpolate')
assert not [name for name in late if name in sys.modules]
image = np.zeros((32, 40, 3), np.uint8)
"""
LANES = """
size = {'size': {'height': 16, 'width': 20}}
augment = transforms.ImageAug(
    [{'name': 'Resize', 'parameters': size, 'p': 1.0}]
)
line = [(0, 0), (20, 16)]
found = augment({'img': image, 'instances': [{'line': line}]})
assert found['img'].shape[:2] == (16, 20)
np.testing.assert_allclose(found['lines'][0], [[0, 0], [10, 8]])
import imgaug, scipy
assert isinstance(imgaug, type(sys)) and imgaug.augmenters.Sometimes
assert scipy.interpolate.splev
"""


@pytest.mark.skipif(
    importlib.util.find_spec('imgaug') is None, reason='mmdet without lanes'
)
def test_imports_come_with_their_first_use():
    subprocess.run([sys.executable, '-c', START + LANES], check=True)
