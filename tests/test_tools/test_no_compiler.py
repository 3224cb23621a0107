"""As for a person who has no compiler: nothing is compiled, ever."""

import os
import subprocess
import sys

from tests.bare_path import bare_path

# The first import is not of the plugin; then a step of a two-stage model.
CODE = """
import mmcv._ext, mmdet.models
from mmdet.utils import register_all_modules
from mmengine.config import Config
from mmseg_plugin.cli.compile_ops import check_compiler
from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.cli.configs import find_config
from mmseg_plugin.registry import MODELS
from tests.small_models import batch

try:
    check_compiler()
except UserError as error:
    print(error)
config = Config.fromfile(find_config('mask-rcnn_tiny_fpn_demo_scenes')).model
register_all_modules(init_default_scope=True)
model = MODELS.build(config)
data = model.data_preprocessor(batch(config), True)
loss, _ = model.parse_losses(model(**data, mode='loss'))
loss.backward()
print('trained' if loss.isfinite() else loss)
"""


def test_operators_import_and_train(tmp_path):
    done = subprocess.run(
        [sys.executable, '-c', CODE],
        env={
            **{k: v for k, v in os.environ.items() if k not in ('CC', 'CXX')},
            'PATH': bare_path(tmp_path / 'bin'),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == [
        'no C++ compiler (c++) was found, and the ops have to be compiled; '
        'install one, e.g.: apt-get install g++',
        'trained',
    ]
