"""The config of a folder of transformers: model and preprocessing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from mmseg_plugin.cli.configs import find_config
from mmseg_plugin.converters.hf_config import config_of
from mmseg_plugin.converters.hf_folder import CONFIG, method_of, read_json

PROCESSOR = 'preprocessor_config.json'
# Shipped Mask2Formers by width and the blocks of the third stage.
_SWINS: dict[tuple[Any, Any], str] = {
    (96, 6): 'swin-t-p4-w7-224_8xb2-lsj-50e',
    (96, 18): 'swin-s-p4-w7-224_8xb2-lsj-50e',
    (128, 18): 'swin-b-p4-w12-384-in21k_8xb2-lsj-50e',
    (192, 18): 'swin-l-p4-w12-384-in21k_16xb1-lsj-100e',
}
_RESNETS = {(3, 4, 6, 3): 50, (3, 4, 23, 3): 101, (3, 8, 36, 3): 152}
# Every MaskFormer with a Swin here: its sizes are written out.
_MASKFORMER = {
    'swin': 'maskformer_swin-l-p4-w12_64xb1-ms-300e_coco-panoptic',
    'resnet': 'maskformer_r50_ms-16xb1-75e_coco-panoptic',
}
# What the image processors of both models do where their file says nothing.
_DEFAULTS: dict[str, Any] = {
    'size': {'shortest_edge': 800, 'longest_edge': 1333},
    'image_mean': [0.485, 0.456, 0.406],
    'image_std': [0.229, 0.224, 0.225],
}
# What every shipped config has, by the names of transformers.
_FIXED = {
    **dict.fromkeys(('hidden_dim', 'feature_size', 'd_model'), 256),
    **dict.fromkeys(('mask_feature_size', 'fpn_feature_size'), 256),
    'common_stride': 4,
    'pre_norm': False,
    'activation_function': 'relu',
}
_FILTERS = {0: 'nearest', 2: 'bilinear', 3: 'bicubic'}
_SEMANTIC = 'panoptic_on=False, instance_on=False, semantic_on=True'
# COCO's panoptic classes; transformers does not say which of them are things.
_COCO_THINGS, _COCO_ALL = 80, 133


def leaf_config(
    folder: Path,
    checkpoint: Path,
    semantic: bool = False,
    state: Mapping[str, Tensor] | None = None,
) -> str:
    """Text of a config for the converted weights.

    Args:
        folder: of a Mask2Former or MaskFormer of transformers.
        checkpoint: converted weights.
        semantic: the model is for semantic maps: no class is of things.
        state: weights of the folder; what its config leaves out is read off
            them.

    Raises:
        ValueError: there is no shipped config for this model, or a file of
            the folder cannot be used.
    """
    kind = method_of(folder)
    model = read_json(folder / CONFIG)
    if state is not None:
        model = _whole(model, config_of(kind, state, None))
    _check_fixed(model)
    processor = _processor(folder / PROCESSOR)
    names = _names(model)
    things = 0 if semantic else len(names)
    if things == _COCO_ALL and names[0] == 'person':
        things = _COCO_THINGS
    backbone = model.get('backbone_config') or {}
    if kind == 'maskformer':
        base = _MASKFORMER[_family(backbone)]
        words, head = _sizes(backbone), _maskformer_lines(model)
    else:
        base = _mask2former_base(backbone)
        base += '-panoptic' if things < len(names) else ''
        words, head = _settings(backbone), _mask2former_lines(model)
    lines = [
        f'"""{folder.name} of transformers, as {base}."""',
        '',
        f'_base_ = {str(find_config(base))!r}',
        f'load_from = {str(checkpoint.resolve())!r}',
        *_label_lines(processor),
        f'metainfo = dict({_metainfo(names, things, base)})',
        f'classes = dict(num_things_classes={things}, '
        f'num_stuff_classes={len(names) - things})',
        'model = dict(',
        f'    data_preprocessor=dict({_pixels(processor)}),',
        f'    backbone=dict(init_cfg=None{words}),',
        *head,
        '    panoptic_fusion_head=classes,',
        *([f'    test_cfg=dict({_SEMANTIC}),'] if semantic else []),
        ')',
        *_pipeline_lines(processor),
    ]
    return '\n'.join(lines) + '\n'


def _completed(
    given: Mapping[str, Any], known: Mapping[str, Any]
) -> dict[str, Any]:
    """What is given, and what is known where nothing is."""
    return {**known, **{k: v for k, v in given.items() if v is not None}}


def _whole(
    given: Mapping[str, Any], known: Mapping[str, Any]
) -> dict[str, Any]:
    """A config of transformers, and what its weights say where it does not."""
    whole = _completed(given, known)
    for key in ('backbone_config', 'decoder_config'):
        if key in known:
            whole[key] = _completed(whole[key], known[key])
    return whole


def _check_fixed(model: Mapping[str, Any]) -> None:
    for part in (model, model.get('decoder_config') or {}):
        for key, value in _FIXED.items():
            if part.get(key, value) != value:
                raise ValueError(
                    f'{CONFIG} has {key} {part[key]!r}, shipped configs have '
                    f'{value!r}'
                )


def _heads(count: int, *names: str) -> str:
    """Settings of the attentions of a layer."""
    return ''.join(f'{name}=dict(num_heads={count}), ' for name in names)


def _processor(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(
            f'{path} cannot be found: save the image processor there too, it '
            'says how images are prepared'
        )
    return _completed(read_json(path), _DEFAULTS)


def _metainfo(names: list[str], things: int, base: str) -> str:
    groups = {'classes': names}
    if base.endswith('-panoptic'):
        groups |= {
            'thing_classes': names[:things],
            'stuff_classes': names[things:],
        }
    return ', '.join(f'{key}={value!r}' for key, value in groups.items())


def _names(model: Mapping[str, Any]) -> list[str]:
    labels = model.get('id2label') or {}
    try:
        return [str(labels[str(i)]) for i in range(len(labels))]
    except KeyError as error:
        raise ValueError(f'id2label of {CONFIG} has no {error}') from None


def _family(backbone: Mapping[str, Any]) -> str:
    kind, depths = backbone.get('model_type'), backbone.get('depths') or []
    if kind in ('swin', 'maskformer-swin') and len(depths) == 4:
        return 'swin'
    bottleneck = backbone.get('layer_type', 'bottleneck') == 'bottleneck'
    if kind == 'resnet' and bottleneck and tuple(depths) in _RESNETS:
        return 'resnet'
    raise ValueError(f'no shipped config has a {kind} with depths {depths}')


def _mask2former_base(backbone: Mapping[str, Any]) -> str:
    recipe: str | None = 'r50_8xb2-lsj-50e'
    if _family(backbone) == 'swin':
        depths = backbone['depths']
        recipe = _SWINS.get((backbone.get('embed_dim'), depths[2]))
        if recipe is None:
            raise ValueError(
                'no shipped config has a swin of width '
                f'{backbone.get("embed_dim")} with depths {depths}'
            )
    return f'mask2former_{recipe}_coco'


def _settings(backbone: Mapping[str, Any]) -> str:
    """What the shipped config of this backbone may have otherwise."""
    if _family(backbone) == 'swin':
        return f', window_size={backbone.get("window_size", 7)}'
    return f', depth={_RESNETS[tuple(backbone["depths"])]}'


def _sizes(backbone: Mapping[str, Any]) -> str:
    if _family(backbone) == 'resnet':
        return _settings(backbone)
    return (
        f', embed_dims={backbone["embed_dim"]}, depths={backbone["depths"]}, '
        f'num_heads={backbone["num_heads"]}{_settings(backbone)}'
    )


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


def _pixels(processor: Mapping[str, Any]) -> str:
    factor = processor.get('rescale_factor', 1 / 255)
    scale = factor if processor.get('do_rescale', True) else 1.0
    mean, std = [0.0] * 3, [1.0] * 3
    if processor.get('do_normalize', True):
        mean, std = processor['image_mean'], processor['image_std']
    divisor = processor.get('size_divisor') or processor.get(
        'size_divisibility', 32
    )
    return (
        f'mean={_scaled(mean, scale)}, std={_scaled(std, scale)}, '
        f'bgr_to_rgb=True, pad_size_divisor={divisor}, batch_augments=None'
    )


def _mask2former_lines(model: Mapping[str, Any]) -> list[str]:
    weight = model.get('no_object_weight', 0.1)
    heads = model.get('num_attention_heads', 8)
    encoder = _heads(heads, 'self_attn_cfg')
    decoder = _heads(heads, 'self_attn_cfg', 'cross_attn_cfg')
    return [
        f'    panoptic_head=dict(classes, num_queries={model["num_queries"]}, '
        f'loss_cls=dict(no_object_weight={weight}),',
        f'        pixel_decoder=dict(encoder=dict('
        f'num_layers={model["encoder_layers"]}, layer_cfg=dict({encoder}'
        'ffn_cfg=dict('
        f'feedforward_channels={model["encoder_feedforward_dim"]})))),',
        f'        transformer_decoder=dict('
        f'num_layers={model["decoder_layers"] - 1}, layer_cfg=dict({decoder}'
        f'ffn_cfg=dict(feedforward_channels={model["dim_feedforward"]})))),',
    ]


def _maskformer_lines(model: Mapping[str, Any]) -> list[str]:
    weight = model.get('no_object_weight', 0.1)
    decoder, backbone = model['decoder_config'], model['backbone_config']
    attention = _heads(
        *(decoder.get('decoder_attention_heads', 8), 'self_attn_cfg'),
        'cross_attn_cfg',
    )
    channels = backbone.get('hidden_sizes') or [
        backbone['embed_dim'] * 2**stage for stage in range(4)
    ]
    return [
        f'    panoptic_head=dict(classes, in_channels={channels}, '
        f'num_queries={decoder["num_queries"]},',
        f'        loss_cls=dict(no_object_weight={weight}),',
        "        pixel_decoder=dict(_delete_=True, type='mmdet.PixelDecoder',",
        "            norm_cfg=dict(type='GN', num_groups=32), "
        "act_cfg=dict(type='ReLU')),",
        f'        transformer_decoder=dict('
        f'num_layers={decoder["decoder_layers"]}, layer_cfg=dict({attention}'
        f'ffn_cfg=dict('
        f'feedforward_channels={decoder["decoder_ffn_dim"]})))),',
    ]


def _scaled(values: list[float] | float, scale: float) -> list[float]:
    """In the range of images, 0 to 255; one value is that of all channels."""
    if isinstance(values, int | float):
        values = [values] * 3
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
