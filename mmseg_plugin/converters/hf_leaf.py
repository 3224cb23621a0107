"""The config of a folder of transformers: model and preprocessing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmseg_plugin.cli.configs import find_config
from mmseg_plugin.converters.hf_folder import CONFIG, read_json

PROCESSOR = 'preprocessor_config.json'
# By width and the blocks of the third stage.
_SWINS: dict[tuple[Any, Any], str] = {
    (96, 6): 'swin-t-p4-w7-224_8xb2-lsj-50e',
    (96, 18): 'swin-s-p4-w7-224_8xb2-lsj-50e',
    (128, 18): 'swin-b-p4-w12-384-in21k_8xb2-lsj-50e',
    (192, 18): 'swin-l-p4-w12-384-in21k_16xb1-lsj-100e',
}
_R50 = 'r50_8xb2-lsj-50e'
_FILTERS = {0: 'nearest', 2: 'bilinear', 3: 'bicubic'}
# COCO's panoptic classes; transformers does not say which of them are things.
_COCO_THINGS, _COCO_ALL = 80, 133


def leaf_config(folder: Path, checkpoint: Path) -> str:
    """Text of a config for the converted weights.

    Args:
        folder: of a Mask2Former of transformers.
        checkpoint: converted weights.

    Raises:
        ValueError: there is no shipped config for this model, or a file of
            the folder cannot be used.
    """
    model = read_json(folder / CONFIG)
    if model.get('model_type') != 'mask2former':
        raise ValueError(
            f'{folder / CONFIG} is of a {model.get("model_type")}; configs '
            'are written for a mask2former'
        )
    processor = read_json(folder / PROCESSOR)
    names = _names(model)
    things = len(names)
    if things == _COCO_ALL and names[0] == 'person':
        things = _COCO_THINGS
    base = _base(model) + ('-panoptic' if things < len(names) else '')
    lines = [
        f'"""{folder.name} of transformers, as {base}."""',
        '',
        f'_base_ = {str(find_config(base))!r}',
        f'load_from = {str(checkpoint.resolve())!r}',
        *_label_lines(processor),
        f'metainfo = dict(classes={names!r})',
        f'classes = dict(num_things_classes={things}, '
        f'num_stuff_classes={len(names) - things})',
        *_model_lines(model, processor),
        *_pipeline_lines(processor),
    ]
    return '\n'.join(lines) + '\n'


def _names(model: Mapping[str, Any]) -> list[str]:
    labels = model.get('id2label') or {}
    try:
        return [str(labels[str(i)]) for i in range(len(labels))]
    except KeyError as error:
        raise ValueError(f'id2label of {CONFIG} has no {error}') from None


def _base(model: Mapping[str, Any]) -> str:
    backbone = model.get('backbone_config') or {}
    depths = list(backbone.get('depths') or [])
    recipe = None
    if backbone.get('model_type') == 'swin' and len(depths) == 4:
        recipe = _SWINS.get((backbone.get('embed_dim'), depths[2]))
    elif depths == [3, 4, 6, 3] and (
        backbone.get('layer_type', 'bottleneck') == 'bottleneck'
    ):
        recipe = _R50
    if recipe is None:
        raise ValueError(
            f'no shipped config has a {backbone.get("model_type")} with '
            f'depths {depths}'
        )
    return f'mask2former_{recipe}_coco'


def _label_lines(processor: Mapping[str, Any]) -> list[str]:
    """What holds for maps of data, which no config here reads."""
    reduced = processor.get('do_reduce_labels', False) or processor.get(
        'reduce_labels', False
    )
    ignored = processor.get('ignore_index')
    lines = []
    if reduced:
        lines.append('# Label maps: 0 is void, classes begin at 1.')
    if ignored is not None:
        lines.append(f'# Label maps: {ignored} is ignored.')
    return lines


def _model_lines(
    model: Mapping[str, Any], processor: Mapping[str, Any]
) -> list[str]:
    factor = processor.get('rescale_factor', 1 / 255)
    scale = factor if processor.get('do_rescale', True) else 1.0
    mean, std = [0.0] * 3, [1.0] * 3
    if processor.get('do_normalize', True):
        mean, std = processor['image_mean'], processor['image_std']
    divisor = processor.get('size_divisor') or processor.get(
        'size_divisibility', 32
    )
    backbone = model['backbone_config']
    window = ''
    if backbone.get('model_type') == 'swin':
        window = f', window_size={backbone.get("window_size", 7)}'
    weight = model.get('no_object_weight', 0.1)
    return [
        'model = dict(',
        f'    data_preprocessor=dict(mean={_scaled(mean, scale)}, '
        f'std={_scaled(std, scale)}, bgr_to_rgb=True, '
        f'pad_size_divisor={divisor}, batch_augments=None),',
        f'    backbone=dict(init_cfg=None{window}),',
        f'    panoptic_head=dict(classes, num_queries={model["num_queries"]}, '
        f'loss_cls=dict(no_object_weight={weight}),',
        f'        pixel_decoder=dict(encoder=dict('
        f'num_layers={model["encoder_layers"]}, layer_cfg=dict(ffn_cfg=dict('
        f'feedforward_channels={model["encoder_feedforward_dim"]})))),',
        f'        transformer_decoder=dict('
        f'num_layers={model["decoder_layers"] - 1}, layer_cfg=dict('
        f'ffn_cfg=dict(feedforward_channels={model["dim_feedforward"]})))),',
        '    panoptic_fusion_head=classes,',
        ')',
    ]


def _scaled(values: list[float], scale: float) -> list[float]:
    """In the range of images, 0 to 255."""
    return [round(value / scale, 6) for value in values]


def _pipeline_lines(processor: Mapping[str, Any]) -> list[str]:
    steps = ["dict(type='LoadImageFromFile')"]
    if processor.get('do_resize', True):
        steps.append(_resize(processor))
    keys = "('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')"
    steps.append(f"dict(type='mmdet.PackDetInputs', meta_keys={keys})")
    return [
        'test_pipeline = [',
        *(f'    {step},' for step in steps),
        ']',
        'val_dataloader = test_dataloader = dict(',
        '    dataset=dict(metainfo=metainfo, pipeline=test_pipeline))',
    ]


def _resize(processor: Mapping[str, Any]) -> str:
    size = processor.get('size')
    if isinstance(size, int):
        size = {'shortest_edge': size}
    kind = _FILTERS.get(processor.get('resample', 2), 'bilinear')
    how = f"interpolation='{kind}', backend='pillow'"
    if size and 'shortest_edge' in size:
        short = size['shortest_edge']
        long = size.get('longest_edge') or processor.get('max_size') or 10**6
        where = f'scale=({long}, {short}), keep_ratio=True'
    elif size and 'height' in size:
        where = f'scale=({size["width"]}, {size["height"]}), keep_ratio=False'
    else:
        raise ValueError(f'{PROCESSOR} has a size that is not known: {size}')
    return f"dict(type='mmdet.Resize', {where}, {how})"
