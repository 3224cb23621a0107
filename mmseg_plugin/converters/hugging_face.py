"""Key tables of transformers' Mask2Former and MaskFormer.

They lead to the official (detectron2) names; the tables of those lead on to
mmdet's. Names are those of the saved files: for Mask2Former with Swin about
half of them differ from the names that the loaded model has in memory.
"""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from mmseg_plugin.converters.rules import Rule, Table

_ENCODER = 'model.pixel_level_module.encoder.'
_PIXEL = 'model.pixel_level_module.decoder.'
_QUERY = 'model.transformer_module.'
_D2_PIXEL = 'sem_seg_head.pixel_decoder.'
_D2_QUERY = 'sem_seg_head.predictor.'


def _pairs(
    hf: str, d2: str, *pairs: tuple[str, str], optional: bool = False
) -> tuple[Rule, ...]:
    """Rules for all of ``pairs`` below two prefixes."""
    return tuple(Rule(hf + a, d2 + b, optional) for a, b in pairs)


def _resnet() -> Iterator[Rule]:
    def units(hf: str, d2: str) -> tuple[Rule, ...]:
        return _pairs(
            _ENCODER + hf,
            f'backbone.{d2}',
            ('convolution.weight', 'weight'),
            ('normalization.{p}', 'norm.{p}'),
            optional=True,
        )

    yield from units('embedder.embedder.', 'stem.conv1.')
    for stage in range(4):
        hf = f'encoder.stages.{stage}.layers.{{i}}.'
        d2 = f'res{stage + 2}.{{i}}.'
        yield from units(f'{hf}shortcut.', f'{d2}shortcut.')
        for conv in range(3):
            yield from units(f'{hf}layer.{conv}.', f'{d2}conv{conv + 1}.')


def _swin(prefix: str, norms: str) -> Iterator[Rule]:
    """Of a Swin whose names begin with ``prefix``.

    Args:
        prefix: below the encoder.
        norms: pattern of the norm of stage {i}; the official code counts
            stages from 0.
    """
    encoder = _ENCODER + prefix
    yield from _pairs(
        f'{encoder}embeddings.',
        'backbone.patch_embed.',
        ('patch_embeddings.projection.{p}', 'proj.{p}'),
        ('norm.{p}', 'norm.{p}'),
        optional=True,
    )
    for stage in range(4):
        norm = norms.format(first=stage, second=stage + 1)
        name = f'{_ENCODER}hidden_states_norms.{norm}.{{p}}'
        yield Rule(name, f'backbone.norm{stage}.{{p}}', True)
    layer = '.{i}.downsample.'
    yield from _pairs(
        f'{encoder}encoder.layers{layer}',
        f'backbone.layers{layer}',
        ('reduction.{p}', 'reduction.{p}'),
        ('norm.{p}', 'norm.{p}'),
        optional=True,
    )
    block = '.{i}.blocks.{j}.'
    yield from _pairs(
        f'{encoder}encoder.layers{block}',
        f'backbone.layers{block}',
        ('layernorm_before.{p}', 'norm1.{p}'),
        ('layernorm_after.{p}', 'norm2.{p}'),
        ('attention.output.dense.{p}', 'attn.proj.{p}'),
        ('attention.self.{p}', 'attn.{p}'),
        ('intermediate.dense.{p}', 'mlp.fc1.{p}'),
        ('output.dense.{p}', 'mlp.fc2.{p}'),
        optional=True,
    )


_FFN = (('fc1.{p}', 'linear1.{p}'), ('fc2.{p}', 'linear2.{p}'))
_OUTPUTS = _pairs(
    '',
    '',
    ('class_predictor.{p}', f'{_D2_QUERY}class_embed.{{p}}'),
    ('criterion.empty_weight', 'criterion.empty_weight'),
    (f'{_QUERY}queries_embedder.{{p}}', f'{_D2_QUERY}query_embed.{{p}}'),
    (f'{_PIXEL}mask_projection.{{p}}', f'{_D2_PIXEL}mask_features.{{p}}'),
)
_NO_COUNT = {
    f'{_ENCODER}{{p}}.num_batches_tracked': 'frozen norms do not count'
}
_UNUSED_NORM = 'the model does not use it'


def _mask2former_rules() -> Iterator[Rule]:
    decoder, d2_layers = f'{_QUERY}decoder.', f'{_D2_QUERY}transformer_'
    yield from _OUTPUTS
    yield from _pairs(
        f'{decoder}layers.{{i}}.',
        d2_layers,
        (
            'cross_attn.{p}',
            'cross_attention_layers.{i}.multihead_attn.{p}',
        ),
        ('cross_attn_layer_norm.{p}', 'cross_attention_layers.{i}.norm.{p}'),
        ('self_attn.{p}', 'self_attention_layers.{i}.self_attn.{p}'),
        ('self_attn_layer_norm.{p}', 'self_attention_layers.{i}.norm.{p}'),
        ('fc1.{p}', 'ffn_layers.{i}.linear1.{p}'),
        ('fc2.{p}', 'ffn_layers.{i}.linear2.{p}'),
        ('final_layer_norm.{p}', 'ffn_layers.{i}.norm.{p}'),
    )
    yield from _pairs(
        _QUERY,
        _D2_QUERY,
        ('decoder.layernorm.{p}', 'decoder_norm.{p}'),
        (
            'decoder.mask_predictor.mask_embedder.{i}.0.{p}',
            'mask_embed.layers.{i}.{p}',
        ),
        ('queries_features.{p}', 'query_feat.{p}'),
        ('level_embed.{p}', 'level_embed.{p}'),
    )
    projections = ('input_projections.{i}.{p}', 'input_proj.{i}.{p}')
    yield from _pairs(_QUERY, _D2_QUERY, projections, optional=True)
    yield from _pairs(
        _PIXEL,
        _D2_PIXEL,
        projections,
        ('level_embed', 'transformer.level_embed'),
    )
    yield from _pairs(
        f'{_PIXEL}encoder.layers.{{i}}.',
        f'{_D2_PIXEL}transformer.encoder.layers.{{i}}.',
        ('self_attn.{p}', 'self_attn.{p}'),
        ('self_attn_layer_norm.{p}', 'norm1.{p}'),
        ('final_layer_norm.{p}', 'norm2.{p}'),
        *_FFN,
    )
    for part in ('adapter', 'layer'):
        yield from _pairs(
            _PIXEL,
            _D2_PIXEL,
            (f'{part}_{{i}}.0.weight', f'{part}_{{i}}.weight'),
            (f'{part}_{{i}}.1.{{p}}', f'{part}_{{i}}.norm.{{p}}'),
            optional=True,
        )


def _maskformer_rules() -> Iterator[Rule]:
    yield from _OUTPUTS
    yield from _pairs(
        f'{_QUERY}decoder.',
        f'{_D2_QUERY}transformer.decoder.',
        ('layers.{i}.self_attn.{p}', 'layers.{i}.self_attn.{p}'),
        ('layers.{i}.encoder_attn.{p}', 'layers.{i}.multihead_attn.{p}'),
        ('layers.{i}.self_attn_layer_norm.{p}', 'layers.{i}.norm1.{p}'),
        ('layers.{i}.encoder_attn_layer_norm.{p}', 'layers.{i}.norm2.{p}'),
        ('layers.{i}.final_layer_norm.{p}', 'layers.{i}.norm3.{p}'),
        *((f'layers.{{i}}.{a}', f'layers.{{i}}.{b}') for a, b in _FFN),
        ('layernorm.{p}', 'norm.{p}'),
    )
    name = 'mask_embedder.{i}.0.{p}'
    yield Rule(name, f'{_D2_QUERY}mask_embed.layers.{{i}}.{{p}}')
    yield from _pairs(
        _QUERY,
        _D2_QUERY,
        ('input_projection.{p}', 'input_proj.{p}'),
        optional=True,
    )
    yield from _convolution('stem', 'layer_4')
    for number, level in enumerate((3, 2, 1)):
        layer = f'layers.{number}'
        yield from _convolution(f'{layer}.proj', f'adapter_{level}')
        yield from _convolution(f'{layer}.block', f'layer_{level}')


def _convolution(hf: str, d2: str) -> tuple[Rule, ...]:
    """A convolution without bias and its norm in MaskFormer's FPN."""
    return _pairs(
        f'{_PIXEL}fpn.',
        _D2_PIXEL,
        (f'{hf}.0.weight', f'{d2}.weight'),
        (f'{hf}.1.{{p}}', f'{d2}.norm.{{p}}'),
    )


def _made(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a file of transformers holds and the model does not need."""
    made = {}
    for key in state:
        if key.endswith('.normalization.running_mean'):
            name = key.replace('running_mean', 'num_batches_tracked')
            made[name] = torch.zeros((), dtype=torch.long)
    norms = sorted(key for key in state if 'hidden_states_norms' in key)
    for kind, value in (('weight', 1.0), ('bias', 0.0)):
        # As wide as the last stage.
        for key in [key for key in norms if key.endswith(kind)][-1:]:
            name = f'{_ENCODER}{prefix}layernorm.{kind}'
            made[name] = torch.full_like(state[key], value)
    return made


_D2_INDEX = 'backbone.layers.{i}.blocks.{j}.attn.relative_position_index'
_MASK2FORMER = Table(
    rules=(
        *_mask2former_rules(),
        *_resnet(),
        *_swin('', 'stage{second}'),
    ),
    dropped={
        'hf': {
            **_NO_COUNT,
            f'{_ENCODER}swin.layernorm.{{p}}': _UNUSED_NORM,
            f'{_ENCODER}layernorm.{{p}}': _UNUSED_NORM,
        },
        'd2': {_D2_INDEX: 'follows from the size of the window'},
    },
    made=lambda state: _made('swin.', state),
    sides=('hf', 'd2'),
)
_MASKFORMER = Table(
    rules=(
        *_maskformer_rules(),
        *_resnet(),
        *_swin('model.', '{first}'),
    ),
    dropped={
        'hf': {
            **_NO_COUNT,
            f'{_ENCODER}model.layernorm.{{p}}': _UNUSED_NORM,
        }
    },
    made=lambda state: _made('model.', state),
    sides=('hf', 'd2'),
)

HF_METHODS: dict[str, Table] = {
    'mask2former': _MASK2FORMER,
    'maskformer': _MASKFORMER,
}
