"""Key tables of the query models: official names and mmdet's.

A method has one table for each architecture that needs its own names;
:func:`choose_table` finds the one that fits a file.
"""

from collections.abc import Mapping

from torch import Tensor

from mmseg_plugin.converters.backbones import BACKBONES, DROPPED
from mmseg_plugin.converters.panoptic_fcn import PANOPTIC_FCN
from mmseg_plugin.converters.rules import (
    Rule,
    Table,
    empty_weight,
    unknown_keys,
)

_D2 = 'sem_seg_head.'
_MM = 'panoptic_head.'


def _rules(
    d2: str,
    mmdet: str,
    pairs: tuple[tuple[str, str], ...],
    optional: bool = False,
) -> tuple[Rule, ...]:
    """Rules for all of ``pairs`` below two prefixes."""
    return tuple(
        Rule(f'{_D2}{d2}{a}.{{p}}', f'{_MM}{mmdet}{b}.{{p}}', optional)
        for a, b in pairs
    )


_MASK_EMBED = (
    ('mask_embed.layers.0', 'mask_embed.0'),
    ('mask_embed.layers.1', 'mask_embed.2'),
    ('mask_embed.layers.2', 'mask_embed.4'),
)
_OUTPUTS = _rules(
    'predictor.',
    '',
    (
        ('class_embed', 'cls_embed'),
        ('query_embed', 'query_embed'),
        *_MASK_EMBED,
    ),
)
_FFN = (('linear1', 'ffn.layers.0.0'), ('linear2', 'ffn.layers.1'))


def _made(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return empty_weight(len(state[f'{_D2}predictor.class_embed.bias']) - 1)


def _fpn(levels: int, optional: bool = False) -> tuple[Rule, ...]:
    """Lateral and output convolutions of backbone levels 0..levels-1."""
    return tuple(
        Rule(
            f'{_D2}pixel_decoder.{d2}_{level + 1}.{a}',
            f'{_MM}pixel_decoder.{mmdet}.{level}.{b}',
            optional,
        )
        for level in range(levels)
        for d2, mmdet in (
            ('adapter', 'lateral_convs'),
            ('layer', 'output_convs'),
        )
        for a, b in (('weight', 'conv.weight'), ('norm.{p}', 'gn.{p}'))
    )


_PIXEL_DECODER = (
    *_rules(
        'pixel_decoder.',
        'pixel_decoder.',
        (
            ('input_proj.{i}.0', 'input_convs.{i}.conv'),
            ('input_proj.{i}.1', 'input_convs.{i}.gn'),
            ('mask_features', 'mask_feature'),
        ),
    ),
    Rule(
        f'{_D2}pixel_decoder.transformer.level_embed',
        f'{_MM}pixel_decoder.level_encoding.weight',
    ),
    *_rules(
        'pixel_decoder.transformer.encoder.layers.{i}.',
        'pixel_decoder.encoder.layers.{i}.',
        (
            ('self_attn', 'self_attn'),
            ('norm1', 'norms.0'),
            ('norm2', 'norms.1'),
            *_FFN,
        ),
    ),
)

_MASK2FORMER = Table(
    rules=(
        *BACKBONES,
        *_PIXEL_DECODER,
        *_fpn(3, optional=True),
        *_rules(
            'predictor.',
            '',
            (
                ('query_feat', 'query_feat'),
                ('level_embed', 'level_embed'),
                ('decoder_norm', 'transformer_decoder.post_norm'),
            ),
        ),
        *_rules(
            'predictor.',
            '',
            (('input_proj.{i}', 'decoder_input_projs.{i}'),),
            optional=True,
        ),
        *_rules(
            'predictor.transformer_cross_attention_layers.{i}.',
            'transformer_decoder.layers.{i}.',
            (('multihead_attn', 'cross_attn.attn'), ('norm', 'norms.0')),
        ),
        *_rules(
            'predictor.transformer_self_attention_layers.{i}.',
            'transformer_decoder.layers.{i}.',
            (('self_attn', 'self_attn.attn'), ('norm', 'norms.1')),
        ),
        *_rules(
            'predictor.transformer_ffn_layers.{i}.',
            'transformer_decoder.layers.{i}.',
            (*_FFN, ('norm', 'norms.2')),
        ),
        *_OUTPUTS,
    ),
    dropped=DROPPED,
    made=_made,
)

_MASKFORMER_SHARED = (
    *BACKBONES,
    *_fpn(3),
    *_rules(
        'pixel_decoder.',
        'pixel_decoder.',
        (('mask_features', 'mask_feature'),),
    ),
    *_rules(
        'predictor.transformer.decoder.layers.{i}.',
        'transformer_decoder.layers.{i}.',
        (
            ('self_attn', 'self_attn.attn'),
            ('multihead_attn', 'cross_attn.attn'),
            ('norm1', 'norms.0'),
            ('norm2', 'norms.1'),
            ('norm3', 'norms.2'),
            *_FFN,
        ),
    ),
    *_rules(
        'predictor.',
        '',
        (('transformer.decoder.norm', 'transformer_decoder.post_norm'),),
    ),
    *_rules(
        'predictor.',
        '',
        (('input_proj', 'decoder_input_proj'),),
        optional=True,
    ),
    *_OUTPUTS,
)


def _top(mmdet: str) -> tuple[Rule, Rule]:
    """The convolution on the lowest backbone level."""
    return (
        Rule(
            f'{_D2}pixel_decoder.layer_4.weight',
            f'{_MM}pixel_decoder.{mmdet}.conv.weight',
        ),
        Rule(
            f'{_D2}pixel_decoder.layer_4.norm.{{p}}',
            f'{_MM}pixel_decoder.{mmdet}.gn.{{p}}',
        ),
    )


_MASKFORMER_FPN = Table(
    rules=(*_MASKFORMER_SHARED, *_top('last_feat_conv')),
    dropped=DROPPED,
    made=_made,
)
_MASKFORMER_ENCODER = Table(
    rules=(
        *_MASKFORMER_SHARED,
        *_top('encoder_out_proj'),
        *_rules(
            'pixel_decoder.',
            'pixel_decoder.',
            (('input_proj', 'encoder_in_proj'),),
        ),
        *_rules(
            'pixel_decoder.transformer.encoder.layers.{i}.',
            'pixel_decoder.encoder.layers.{i}.',
            (
                ('self_attn', 'self_attn.attn'),
                ('norm1', 'norms.0'),
                ('norm2', 'norms.1'),
                *_FFN,
            ),
        ),
    ),
    dropped=DROPPED,
    made=_made,
)


def _mask_dino_made(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of tied parameters, one of the box head for each layer."""
    predictor = f'{_D2}predictor.'
    copies = {
        f'{predictor}decoder.norm.{p}': state[f'{predictor}decoder_norm.{p}']
        for p in ('weight', 'bias')
    }
    layers = f'{predictor}decoder.layers.'
    numbers = dict.fromkeys(
        key.removeprefix(layers).partition('.')[0]
        for key in state
        if key.startswith(layers)
    )
    boxes = f'{predictor}_bbox_embed.'
    for key in [key for key in state if key.startswith(boxes)]:
        for number in numbers:
            name = f'bbox_embed.{number}.{key.removeprefix(boxes)}'
            copies[f'{predictor}{name}'] = state[key]
            copies[f'{predictor}decoder.{name}'] = state[key]
    labels = state.get(f'{predictor}label_enc.weight')
    return copies | ({} if labels is None else empty_weight(len(labels)))


_MASK_DINO = Table(
    rules=(
        *BACKBONES,
        *_PIXEL_DECODER,
        *_fpn(1, optional=True),
        *_rules(
            'predictor.',
            '',
            (
                ('class_embed', 'cls_embed'),
                ('decoder_norm', 'transformer_decoder.norm'),
                (
                    'decoder.ref_point_head.layers.{i}',
                    'transformer_decoder.ref_point_head.layers.{i}',
                ),
                ('_bbox_embed.layers.{i}', 'bbox_embed.layers.{i}'),
            ),
        ),
        *_rules(
            'predictor.',
            '',
            (
                ('enc_output', 'query_selection.memory_trans_fc'),
                (
                    'enc_output_norm',
                    'query_selection.memory_trans_norm',
                ),
                ('query_feat', 'query_feat'),
                ('query_embed', 'query_embed'),
                ('label_enc', 'dn_query_generator.label_embedding'),
                *_MASK_EMBED,
            ),
            optional=True,
        ),
        *_rules(
            'predictor.decoder.layers.{i}.',
            'transformer_decoder.layers.{i}.',
            (
                ('self_attn', 'self_attn.attn'),
                ('cross_attn', 'cross_attn'),
                ('norm2', 'norms.0'),
                ('norm1', 'norms.1'),
                ('norm3', 'norms.2'),
                *_FFN,
            ),
        ),
    ),
    dropped=DROPPED,
    made=_mask_dino_made,
    tied={
        f'{_D2}predictor.decoder.norm.{{p}}': (
            f'{_D2}predictor.decoder_norm.{{p}}'
        ),
        f'{_D2}predictor.decoder.bbox_embed.{{i}}.{{p}}': (
            f'{_D2}predictor._bbox_embed.{{p}}'
        ),
        f'{_D2}predictor.bbox_embed.{{i}}.{{p}}': (
            f'{_D2}predictor._bbox_embed.{{p}}'
        ),
    },
)

METHODS: dict[str, tuple[Table, ...]] = {
    'mask2former': (_MASK2FORMER,),
    'maskdino': (_MASK_DINO,),
    'maskformer': (_MASKFORMER_FPN, _MASKFORMER_ENCODER),
    'panoptic_fcn': PANOPTIC_FCN,
}


def current_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Official names as they are now, from those of early releases.

    Released MaskFormer files lack the ``pixel_decoder`` level, which the
    official code inserts when it loads them; early Mask2Former files say
    ``static_query``.

    Args:
        state: official state dict.
    """
    early = not any(key.startswith(f'{_D2}pixel_decoder.') for key in state)
    renamed = {}
    for key, value in state.items():
        if early and not key.startswith(f'{_D2}predictor.'):
            key = key.replace(_D2, f'{_D2}pixel_decoder.')
        key = key.replace('predictor.static_query.', 'predictor.query_feat.')
        renamed[key] = value
    return renamed


def choose_table(
    method: str, state: Mapping[str, Tensor], source: str
) -> Table:
    """The method's table that leaves the fewest keys of a file unnamed.

    Args:
        method: key of :data:`METHODS`.
        state: state dict of the side ``source``.
        source: ``'d2'`` or ``'mmdet'``.
    """
    return min(
        METHODS[method],
        key=lambda table: len(unknown_keys(state, table, source)),
    )
