"""Exported files in ONNX Runtime, against the same models in torch.

Both take the pixels of an image and give results at its size, on one thread.
"""

import functools
import importlib.util
import tempfile
from pathlib import Path

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
}


@functools.cache
def folder() -> tempfile.TemporaryDirectory:
    """Where the files lie until the process ends."""
    return tempfile.TemporaryDirectory()


def arms(name: str, size: tuple[int, int], arena: bool) -> Arms:
    """Both on one image; they find the same.

    Args:
        name: of the config.
        size: height and width of the image.
        arena: whether ONNX Runtime keeps memory from call to call, which
            would hide what a call needs.
    """
    config = read_config(find_config(name))
    init_default_scope('mmdet')
    torch.manual_seed(0)
    # Random ones will do: nothing here depends on the weights.
    config.model.backbone.init_cfg = None
    model = MODELS.build(config.model).eval()
    path = Path(folder().name) / f'{name}.onnx'
    classes = {'classes': [str(i) for i in range(133)]}
    write_onnx(model, classes, config, Options(size=size), path)
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
