"""What a semantic model brings into a process besides mmseg itself."""

import json
import subprocess
import sys

# mmseg.models imports mmdet.models, detectors included, for its own query
# heads if mmdet is there: what counts is what the plugin adds.
PROGRAM = """
import json, sys
from mmengine.config import Config
from mmengine.registry import MODELS
from mmseg.utils import register_all_modules

from mmseg_plugin.cli.configs import find_config

register_all_modules()
before = set(sys.modules)
config = Config.fromfile(find_config('mask2former_tiny_demo_scenes-semantic'))
MODELS.build(config.model)
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_plugin_adds_nothing_of_mmdet():
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', PROGRAM],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    added = json.loads(done.stdout.splitlines()[-1])
    assert 'mmseg_plugin.models.decode_heads' in added
    assert not [name for name in added if name.split('.')[0] == 'mmdet']
    unneeded = 'mmseg_plugin.datasets', 'mmseg_plugin.evaluation'
    assert not [name for name in added if name.startswith(unneeded)]
