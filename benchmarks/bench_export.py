"""Exported files in ONNX Runtime, against the same models in torch.

Both take the pixels of an image and give results at its size, on one thread.
``*_memory`` is what a process grows by during a call, ``*_process`` all that
a process ever holds which loads a model and draws what it finds: the example
without torch against ``Segmenter``.
"""

import functools
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from harness import Arms, bench
from mmengine.registry import MODELS, init_default_scope

from mmseg_plugin.cli.configs import find_config, read_config
from mmseg_plugin.exporting.agreement import compare
from mmseg_plugin.exporting.export import Options, write_onnx
from mmseg_plugin.exporting.parity import reference
from mmseg_plugin.exporting.session import OnnxModel

# Config, and height and width of the image, by the name of the benchmark.
MODELS_AND_SIZES = {
    'mask2former_demo': ('mask2former_tiny_demo_scenes-panoptic', (256, 256)),
    'maskdino_demo': ('maskdino_tiny_demo_scenes', (256, 256)),
    'mask_rcnn_demo': ('mask-rcnn_tiny_fpn_demo_scenes', (256, 256)),
    'panoptic_fcn_demo': ('panoptic-fcn_tiny_demo_scenes', (256, 256)),
    'mask2former_r50_512': ('mask2former_r50_8xb2-lsj-50e_coco', (512, 512)),
    'mask_rcnn_r50_512': (
        'mask-rcnn_r50_fpn_bce_1x_coco',
        (512, 512),
    ),
    'panoptic_fcn_r50_512': (
        'panoptic-fcn_r50-512_fpn_8xb2-3x_coco',
        (512, 512),
    ),
}
ROOT = Path(__file__).parents[1]
# The peak of the program alone: what the kernel says of children begins with
# that of the process that starts them.
_PEAK = """
import runpy, sys
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
with open('/proc/self/status') as file:
    print(file.read().split('VmHWM:')[1].split()[0])
"""
_TORCH = """
import sys
from mmseg_plugin import Segmenter
config, weights, image, out = sys.argv[1:]
Segmenter(config, weights)(image).plot(out)
"""


@functools.cache
def folder() -> tempfile.TemporaryDirectory:
    """Where the files lie until the process ends."""
    return tempfile.TemporaryDirectory()


def random_model(name: str) -> tuple[Any, Any]:
    """A model with random weights, and its config."""
    config = read_config(find_config(name))
    init_default_scope('mmdet')
    torch.manual_seed(0)
    # Random ones will do: nothing here depends on the weights.
    config.model.backbone.init_cfg = None
    return MODELS.build(config.model).eval(), config


def write_file(name: str, size: tuple[int, int]) -> tuple[Any, Path]:
    """The model, and the file that it was exported to."""
    model, config = random_model(name)
    path = Path(folder().name) / f'{name}.onnx'
    classes = {'classes': [str(i) for i in range(133)]}
    write_onnx(model, classes, config, Options(size=size), path)
    return model, path


def process_arms(name: str, size: tuple[int, int]) -> Arms:
    """Peaks in GB of two programs that find and draw."""
    model, path = write_file(name, size)
    weights, script, image = (
        Path(folder().name) / file for file in ('w.pth', 'torch.py', 'in.png')
    )
    torch.save({'state_dict': model.state_dict()}, weights)
    script.write_text(_TORCH)
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    cv2.imwrite(str(image), pixels)
    out = path.with_suffix('.png')
    example = ROOT / 'examples' / 'onnx_predict.py'
    return Arms(
        lambda: peak_of(example, path, image, out),
        lambda: peak_of(script, find_config(name), weights, image, out),
    )


def peak_of(*words: Path) -> float:
    """GB that a Python program holds at most."""
    done = subprocess.run(
        [sys.executable, '-c', _PEAK, *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1]) / 2**20


def arms(name: str, size: tuple[int, int], arena: bool) -> Arms:
    """Both on one image; they find the same.

    Args:
        name: of the config.
        size: height and width of the image.
        arena: whether ONNX Runtime keeps memory from call to call, which
            would hide what a call needs.
    """
    model, path = write_file(name, size)
    file = OnnxModel(path, threads=1, arena=arena)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    with torch.no_grad():
        found = compare(reference(model, file, image), file(image))
    for key, part in found.items():
        # Random weights: some scores are the same to seven digits.
        assert part.matched >= 0.8 * part.compared, key
    return Arms(lambda: file(image), lambda: reference(model, file, image))


if all(map(importlib.util.find_spec, ('onnx', 'onnxruntime'))):
    for _name, (_config, _size) in MODELS_AND_SIZES.items():
        for _unit, _target in (('s', 1.5), ('MB', 1 / 0.7)):
            bench(
                f'export_onnx_{_name}' + ('' if _unit == 's' else '_memory'),
                *('torch', _target, _unit),
            )(
                functools.partial(arms, _config, _size, arena=_unit == 's'),
            )
        bench(f'export_onnx_{_name}_process', 'torch', 1 / 0.7, 'GB')(
            functools.partial(process_arms, _config, _size)
        )
