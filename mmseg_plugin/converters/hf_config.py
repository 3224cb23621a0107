"""What transformers has to know of a model, read off its weights' shapes."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

_ENCODER = 'model.pixel_level_module.encoder.'
_PIXEL = 'model.pixel_level_module.decoder.'
_QUERY = 'model.transformer_module.'
_STAGES = ['stage1', 'stage2', 'stage3', 'stage4']
# Of a pixel decoder's deformable attention, at each level and head.
_POINTS = 4
# Every released model; weights do not say.
_HEADS = 8
# How the configs for COCO prepare images.
_SHIPPED: dict[str, Any] = {
    'resize': {'scale': [1333, 800]},
    'channels': 'rgb',
    'divisor': 32,
    'mean': [123.675, 116.28, 103.53],
    'std': [58.395, 57.12, 57.375],
}


def config_of(
    method: str,
    state: Mapping[str, Tensor],
    classes: Sequence[str] | None,
    heads: int | None = None,
) -> dict[str, Any]:
    """Content of ``config.json``.

    Args:
        method: ``'mask2former'`` or ``'maskformer'``.
        state: with the names of transformers' files.
        classes: names in the order of the labels; numbered if None.
        heads: of the decoder's attention, if they are known.

    Raises:
        ValueError: there are not as many names as classes, or transformers
            cannot have as many heads.
    """
    num_classes = len(state['class_predictor.bias']) - 1
    names = list(classes or (f'LABEL_{i}' for i in range(num_classes)))
    if len(names) != num_classes:
        raise ValueError(
            f'the file names {len(names)} classes, its head has {num_classes}'
        )
    parts = {'mask2former': _mask2former, 'maskformer': _maskformer}
    config = {
        'model_type': method,
        'dtype': 'float32',
        'id2label': {str(i): name for i, name in enumerate(names)},
        'label2id': {name: i for i, name in enumerate(names)},
        'mask_feature_size': len(state[f'{_PIXEL}mask_projection.bias']),
        'backbone_config': _backbone(method, state),
        **parts[method](state),
    }
    if heads is not None:
        _set_heads(config, heads)
    return config


def _set_heads(config: dict[str, Any], heads: int) -> None:
    if 'decoder_config' in config:
        config['decoder_config']['decoder_attention_heads'] = heads
    elif config['num_attention_heads'] != heads:
        raise ValueError(
            f'its decoder has {heads} heads of attention, its pixel decoder '
            f'{config["num_attention_heads"]}; transformers has one number'
        )


def processor_of(
    method: str,
    config: Mapping[str, Any],
    steps: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Content of ``preprocessor_config.json``.

    Args:
        method: ``'mask2former'`` or ``'maskformer'``.
        config: content of ``config.json``.
        steps: fields of a :class:`Recipe`; as our configs test if None.

    Raises:
        ValueError: transformers has no such step.
    """
    kind = {'mask2former': 'Mask2Former', 'maskformer': 'MaskFormer'}[method]
    steps = steps or _SHIPPED
    if steps['channels'] != 'rgb':
        raise ValueError('its images are BGR, those of transformers RGB')
    return {
        'image_processor_type': f'{kind}ImageProcessor',
        **_resize(steps['resize']),
        'size_divisor': max(steps['divisor'], 1),
        'resample': 2,
        'do_rescale': True,
        'rescale_factor': 1 / 255,
        'do_normalize': True,
        'image_mean': [value / 255 for value in steps['mean']],
        'image_std': [value / 255 for value in steps['std']],
        'do_reduce_labels': False,
        'num_labels': len(config['id2label']),
    }


def _resize(resize: Mapping[str, Any] | None) -> dict[str, Any]:
    if resize is None:
        return {'do_resize': False}
    if 'scale' in resize:
        short, long = sorted(resize['scale'])
        size = {'shortest_edge': short, 'longest_edge': long}
    elif 'shortest' in resize:
        short, long = resize['shortest'], resize['longest']
        size = {'shortest_edge': short, 'longest_edge': long}
    elif 'fixed' in resize:
        height, width = resize['fixed']
        size = {'height': height, 'width': width}
    else:
        raise ValueError(f'transformers has no resize by {dict(resize)}')
    return {'do_resize': True, 'size': size}


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    """Numbers that stand for ``(\\d+)`` in a pattern of names."""
    found = (re.match(pattern, name) for name in state)
    return len({match[1] for match in found if match})


def _mask2former(state: Mapping[str, Tensor]) -> dict[str, Any]:
    encoder, decoder = f'{_PIXEL}encoder.layers.', f'{_QUERY}decoder.layers.'
    levels, hidden = state[f'{_PIXEL}level_embed'].shape
    offsets = state[f'{encoder}0.self_attn.sampling_offsets.bias']
    projections = f'{_QUERY}input_projections.0.weight'
    return {
        'architectures': ['Mask2FormerForUniversalSegmentation'],
        'feature_size': hidden,
        'hidden_dim': state[f'{_QUERY}queries_features.weight'].shape[1],
        'encoder_feedforward_dim': len(state[f'{encoder}0.fc1.bias']),
        'dim_feedforward': len(state[f'{decoder}0.fc1.bias']),
        'encoder_layers': _count(state, rf'{re.escape(encoder)}(\d+)\.'),
        # It counts the prediction before the first layer too.
        'decoder_layers': _count(state, rf'{re.escape(decoder)}(\d+)\.') + 1,
        'num_attention_heads': len(offsets) // (levels * _POINTS * 2),
        'num_queries': len(state[f'{_QUERY}queries_features.weight']),
        'enforce_input_projection': projections in state,
        'common_stride': 4,
        'feature_strides': [4, 8, 16, 32],
        'dropout': 0.0,
        'pre_norm': False,
    }


def _maskformer(state: Mapping[str, Tensor]) -> dict[str, Any]:
    decoder = f'{_QUERY}decoder.layers.'
    queries, hidden = state[f'{_QUERY}queries_embedder.weight'].shape
    return {
        'architectures': ['MaskFormerForInstanceSegmentation'],
        'fpn_feature_size': len(state[f'{_PIXEL}fpn.stem.1.bias']),
        'decoder_config': {
            'model_type': 'detr',
            'd_model': hidden,
            'encoder_layers': 0,
            'decoder_layers': _count(state, rf'{re.escape(decoder)}(\d+)\.'),
            'decoder_attention_heads': _HEADS,
            'decoder_ffn_dim': len(state[f'{decoder}0.fc1.bias']),
            'num_queries': queries,
        },
    }


def _backbone(method: str, state: Mapping[str, Tensor]) -> dict[str, Any]:
    stem = f'{_ENCODER}embedder.embedder.convolution.weight'
    shape = _resnet(state, stem) if stem in state else _swin(method, state)
    return {**shape, 'out_features': _STAGES}


def _resnet(state: Mapping[str, Tensor], stem: str) -> dict[str, Any]:
    stages = [f'{_ENCODER}encoder.stages.{i}.layers.' for i in range(4)]
    convs = _count(state, rf'{re.escape(stages[0])}0\.layer\.(\d+)\.')
    last = f'0.layer.{convs - 1}.convolution.weight'
    return {
        'model_type': 'resnet',
        'layer_type': 'bottleneck' if convs == 3 else 'basic',
        'embedding_size': len(state[stem]),
        'hidden_sizes': [len(state[stage + last]) for stage in stages],
        'depths': [
            _count(state, rf'{re.escape(stage)}(\d+)\.') for stage in stages
        ],
    }


def _swin(method: str, state: Mapping[str, Tensor]) -> dict[str, Any]:
    inner = 'model.' if method == 'maskformer' else ''
    layers = [f'{_ENCODER}{inner}encoder.layers.{i}.blocks.' for i in range(4)]
    table = '0.attention.self.relative_position_bias_table'
    rows, _ = state[layers[0] + table].shape
    window = (round(rows**0.5) + 1) // 2
    width = state[f'{_ENCODER}{inner}embeddings.norm.weight']
    mlp = state[f'{layers[0]}0.intermediate.dense.bias']
    return {
        'model_type': 'maskformer-swin' if inner else 'swin',
        'embed_dim': len(width),
        'depths': [
            _count(state, rf'{re.escape(layer)}(\d+)\.') for layer in layers
        ],
        'num_heads': [state[layer + table].shape[1] for layer in layers],
        'window_size': window,
        'mlp_ratio': len(mlp) / len(width),
        # The size of pretraining: 224 with windows of 7, 384 with 12.
        'image_size': window * 32,
    }
