"""Writes trained models as ONNX files."""

import copy
import json
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from mmseg_plugin.cli.cli import UserError
from mmseg_plugin.exporting.attention import use_sampling
from mmseg_plugin.exporting.bodies import body_of
from mmseg_plugin.exporting.deformable_convolution import (
    use_sampled_convolutions,
)
from mmseg_plugin.exporting.half import halve_weights
from mmseg_plugin.exporting.networks import ImageToResults
from mmseg_plugin.exporting.recipe import Recipe, read_recipe
from mmseg_plugin.exporting.scans import write_scans
from mmseg_plugin.exporting.session import KEY, onnx_packages
from mmseg_plugin.exporting.tracing import WrittenOtherwise

OPSET = 17
# Most of a protobuf message, less what the graph itself takes.
_MOST_BYTES = 2**31 - 2**25
# Height and width of the example, if the input has any size.
_EXAMPLE = (192, 256)


class Options(NamedTuple):
    """What an exported file is like.

    Attributes:
        size: height and width of the input; any size if None.
        batch: whether any number of images fits; else one.
        pixels: preprocessing inside the graph: takes one RGB image.
        results: ``'original'``, at the size of the original image, or
            ``'input'``, at that of the network's input.
        crops: masks cut out to the rectangles around them.
        sampling: key of :data:`SAMPLING`.
        half: weights in float16.
    """

    size: tuple[int, int] | None = None
    batch: bool = False
    pixels: bool = False
    results: str = 'original'
    crops: bool = False
    sampling: str = 'grid'
    half: bool = False


def write_onnx(
    model: nn.Module,
    meta: dict[str, Any],
    config: Config,
    options: Options,
    path: Path,
) -> None:
    """Writes one file, checks it and describes it in its metadata.

    Args:
        model: with its weights; it is left as it is.
        meta: of its data, with ``classes``.
        config: of the model.
        options: see :class:`Options`.
        path: of the file.

    Raises:
        UserError: the model, its config or the options cannot be exported.
    """
    onnx, _ = onnx_packages()
    recipe = read_recipe(config, options.size)
    _check_weights(model)
    model = copy.deepcopy(model).float().cpu().eval()
    use_sampling(model, options.sampling)
    use_sampled_convolutions(model)
    network = ImageToResults(
        body_of(model, options.batch),
        recipe,
        options.pixels,
        options.results == 'original',
        options.crops,
    ).eval()
    inputs = example_inputs(recipe, options)
    with torch.no_grad():
        network(*inputs)
    _trace(network, inputs, _dynamic_axes(network, options), path)
    proto = onnx.load(str(path))
    write_scans(proto)
    description = describe(model, meta, config, recipe, options)
    onnx.helper.set_model_props(proto, {KEY: json.dumps(description)})
    if options.half:
        halve_weights(proto)
    _free_shapes(proto, options)
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, str(path))


def example_inputs(recipe: Recipe, options: Options) -> tuple:
    """Inputs that a graph is traced with."""
    generator = np.random.default_rng(0)
    height, width = options.size or _EXAMPLE
    image = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if options.pixels:
        return (torch.from_numpy(image),)
    prepared, inside = recipe.prepare(image)
    if options.results == 'original':
        return prepared, torch.tensor([*inside, height, width])
    # Another number than one, which could be taken for a constant.
    return (prepared.repeat(2, 1, 1, 1) if options.batch else prepared,)


def _dynamic_axes(
    network: ImageToResults, options: Options
) -> dict[str, dict[int, str]]:
    axes: dict[int, str] = {}
    if options.pixels:
        axes = {0: 'height', 1: 'width'}
    elif options.size is None:
        axes = {2: 'height', 3: 'width'}
    if options.batch:
        axes[0] = 'batch'
    return {'image': axes}


def _trace(
    network: ImageToResults,
    inputs: tuple,
    axes: dict[str, dict[int, str]],
    path: Path,
) -> None:
    with torch.no_grad(), warnings.catch_warnings(), WrittenOtherwise():
        # A parity check at other sizes says what they only suspect.
        warnings.simplefilter('ignore')
        torch.onnx.export(
            network,
            inputs,
            str(path),
            input_names=network.inputs,
            output_names=network.names,
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
            # Functions are their `symbolic`, not the plain operators inside.
            autograd_inlining=False,
        )


def _free_shapes(proto: Any, options: Options) -> None:
    """Takes back what the exporter says of sizes: those of the example."""
    del proto.graph.value_info[:]
    for output in proto.graph.output:
        sides = output.type.tensor_type.shape.dim
        for i, side in enumerate(sides):
            side.Clear()
            if i == 0 and not options.batch:
                side.dim_value = 1
            else:
                side.dim_param = f'{output.name}_{i}'


def _check_weights(model: nn.Module) -> None:
    count = sum(parameter.numel() for parameter in model.parameters())
    if 4 * count > _MOST_BYTES:
        raise UserError(
            f'the model has {4 * count / 2**30:.1f} GiB of weights; one ONNX '
            'file takes 2'
        )


def describe(
    model: nn.Module,
    meta: dict[str, Any],
    config: Config,
    recipe: Recipe,
    options: Options,
) -> dict[str, Any]:
    """The metadata that a reader needs."""
    fusion = getattr(model, 'panoptic_fusion_head', None)
    rules = model.test_cfg if fusion is None else fusion.test_cfg
    return {
        'classes': list(meta['classes']),
        'thing_classes': meta.get('thing_classes'),
        'stuff_classes': meta.get('stuff_classes'),
        'palette': meta.get('palette'),
        'model': type(model).__name__,
        'framework': config.get('default_scope', 'mmdet'),
        'thresholds': json.loads(json.dumps(rules, default=str)),
        'preprocessing': recipe._asdict(),
        'pixels': options.pixels,
        'results': options.results,
        'masks': 'crop' if options.crops else 'whole',
        'precision': 'float16' if options.half else 'float32',
        'opset': OPSET,
        'torch': torch.__version__,
    }
