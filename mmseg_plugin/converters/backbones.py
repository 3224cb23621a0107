"""Key tables of the backbones: detectron2's ResNet and Swin, and mmdet's."""

from torch import Tensor

from mmseg_plugin.converters.rules import Rule, Transform

# The torchvision layout, stride in the 3x3 convolution, which all of
# these models were trained with: mmdet's `style='pytorch'`.
RESNET = (
    Rule('backbone.stem.conv1.weight', 'backbone.conv1.weight', True),
    Rule('backbone.stem.conv1.norm.{p}', 'backbone.bn1.{p}', True),
    *(
        Rule(
            f'backbone.res{stage + 1}.{{i}}.{d2}',
            f'backbone.layer{stage}.{{i}}.{mmdet}',
            True,
        )
        for stage in range(1, 5)
        for d2, mmdet in (
            ('shortcut.weight', 'downsample.0.weight'),
            ('shortcut.norm.{p}', 'downsample.1.{p}'),
            ('conv{j}.weight', 'conv{j}.weight'),
            ('conv{j}.norm.{p}', 'bn{j}.{p}'),
        )
    ),
)


# Swin merges 2x2 patches; the official code takes them column by column,
# each with all its channels, mmdet (`nn.Unfold`) row by row within a channel.
def _merged_to_mmdet(value: Tensor) -> Tensor:
    patches = value.unflatten(-1, (4, -1))[..., [0, 2, 1, 3], :]
    return patches.transpose(-1, -2).flatten(-2)


def _merged_to_d2(value: Tensor) -> Tensor:
    patches = value.unflatten(-1, (-1, 4)).transpose(-1, -2)
    return patches[..., [0, 2, 1, 3], :].flatten(-2).contiguous()


_MERGED = Transform(_merged_to_mmdet, _merged_to_d2)
_SWIN_BLOCK = (
    ('norm{j}.{p}', 'norm{j}.{p}'),
    ('attn.{p}', 'attn.w_msa.{p}'),
    ('mlp.fc1.{p}', 'ffn.layers.0.0.{p}'),
    ('mlp.fc2.{p}', 'ffn.layers.1.{p}'),
)
SWIN = (
    Rule(
        'backbone.patch_embed.proj.{p}',
        'backbone.patch_embed.projection.{p}',
        True,
    ),
    Rule(
        'backbone.patch_embed.norm.{p}', 'backbone.patch_embed.norm.{p}', True
    ),
    Rule('backbone.norm{i}.{p}', 'backbone.norm{i}.{p}', True),
    *(
        Rule(
            f'backbone.layers.{stage}.downsample.{part}.{{p}}',
            f'backbone.stages.{stage}.downsample.{part}.{{p}}',
            True,
            _MERGED,
        )
        for stage in range(4)
        for part in ('reduction', 'norm')
    ),
    *(
        Rule(
            f'backbone.layers.{stage}.blocks.{{i}}.{d2}',
            f'backbone.stages.{stage}.blocks.{{i}}.{mmdet}',
            True,
        )
        for stage in range(4)
        for d2, mmdet in _SWIN_BLOCK
    ),
)

BACKBONES = RESNET + SWIN
DROPPED = {
    'mmdet': {
        'backbone.{p}.num_batches_tracked': 'frozen norms do not count',
        'backbone.bn1.num_batches_tracked': 'frozen norms do not count',
        'data_preprocessor.{p}': 'belongs to the config',
    },
    'd2': {
        'pixel_mean': 'belongs to the config',
        'pixel_std': 'belongs to the config',
        'criterion.empty_weight': 'belongs to the config',
    },
}
