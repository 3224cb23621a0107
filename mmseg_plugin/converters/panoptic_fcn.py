"""Key table of Panoptic FCN: official names and ours."""

from itertools import product

from mmseg_plugin.converters.backbones import DROPPED, RESNET
from mmseg_plugin.converters.rules import Rule, Table, Transform

_MM = 'panoptic_head.'

_RESNET = tuple(
    rule._replace(first=rule.first.replace('backbone.', 'backbone.bottom_up.'))
    for rule in RESNET
)
_FPN = (
    *(
        Rule(
            f'backbone.fpn_{d2}{level + 2}.{{p}}',
            f'neck.{mmdet}.{level}.conv.{{p}}',
        )
        for level in range(4)
        for d2, mmdet in (
            ('lateral', 'lateral_convs'),
            ('output', 'fpn_convs'),
        )
    ),
    *(
        Rule(
            f'backbone.top_block.p{level + 2}.{{p}}',
            f'neck.fpn_convs.{level}.conv.{{p}}',
        )
        for level in (4, 5)
    ),
)
# The official sequence counts the resizes between its convolutions.
_SEMANTIC_FPN = tuple(
    Rule(
        f'semantic_fpn.p{level + 2}.{2 * conv}.{d2}',
        f'{_MM}semantic_fpn.levels.{level}.conv.{conv}.{mmdet}',
        optional=d2 != 'weight',
    )
    for level in range(4)
    for conv in range(max(level, 1))
    for d2, mmdet in (
        ('weight', 'conv.weight'),
        ('bias', 'conv.bias'),
        ('norm.{p}', 'gn.{p}'),
    )
)


def _stack(name: str, mmdet: str, deformed: bool) -> tuple[Rule, ...]:
    """A :class:`CoordConvStack` of at most nine convolutions."""
    pairs = [('weight', 'conv.weight'), ('bias', 'conv.bias')]
    pairs.append(('norm.{p}', 'gn.{p}'))
    if deformed:
        pairs = [(f'dcnv2.{a}', b) for a, b in pairs]
        pairs.append(('offset_mask_conv.{p}', 'conv.conv_offset.{p}'))
    return tuple(
        Rule(
            f'{name}_head_{number + 1}.{a}',
            f'{_MM}{mmdet}.convs.{number}.{b}',
            optional=True,
        )
        for number in range(9)
        for a, b in pairs
    )


# 1x1 convolutions there, only used on single pixels: linear layers here.
_LINEAR = Transform(
    lambda weight: weight[:, :, 0, 0], lambda weight: weight[..., None, None]
)
_OUTPUTS = (
    *(
        Rule(f'{d2}.{{p}}', f'{_MM}{mmdet}.{{p}}')
        for d2, mmdet in (
            ('position_head.out_inst', 'conv_things'),
            ('position_head.out_sem', 'conv_regions'),
            ('kernel_head.out_conv', 'conv_kernels'),
        )
    ),
    *(
        Rule(
            f'{kind}_generator.embed_extractor.{part}',
            f'{_MM}{mmdet}.{part}',
            transform=transform,
        )
        for kind, mmdet in (
            ('thing', 'thing_embed'),
            ('stuff', 'region_embed'),
        )
        for part, transform in (('weight', _LINEAR), ('bias', None))
    ),
)


def _table(
    deformed_position: bool, deformed_encoder: bool, deformed_kernel: bool
) -> Table:
    return Table(
        rules=(
            *_RESNET,
            *_FPN,
            *_SEMANTIC_FPN,
            *_stack(
                'position_head.position_head.position_head',
                'position_convs',
                deformed_position,
            ),
            *_stack(
                'kernel_head.kernel_head.kernel_head',
                'kernel_convs',
                deformed_kernel,
            ),
            *_stack(
                'feature_encoder.encode_head.encode_head',
                'feature_convs',
                deformed_encoder,
            ),
            *_OUTPUTS,
        ),
        dropped=DROPPED,
    )


# Plain ones first: our names of a deformable one include theirs.
PANOPTIC_FCN = tuple(
    _table(*deformed) for deformed in product((False, True), repeat=3)
)
