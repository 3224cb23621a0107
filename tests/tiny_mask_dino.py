"""A Mask DINO head small enough to run in milliseconds."""

from mmseg_plugin.registry import MODELS
from tests.tiny_heads import CHANNELS, DIMS

COSTS = {
    'FocalClassCost': 4.0,
    'MaskBCECost': 5.0,
    'MaskDiceCost': 5.0,
    'BoxL1Cost': 5.0,
    'BoxGIoUCost': 2.0,
}


def assigner(masks=True):
    costs = [
        {'type': f'mmseg_plugin.{name}', 'weight': weight}
        for name, weight in COSTS.items()
        if masks or not name.startswith('Mask')
    ]
    return {
        'type': 'mmseg_plugin.BatchHungarianAssigner',
        'costs': costs,
        'num_points': 48,
    }


def tiny_mask_dino_config(**changes):
    config = {
        'type': 'mmseg_plugin.MaskDINOHead',
        'in_channels': CHANNELS,
        'feat_channels': DIMS,
        'out_channels': DIMS,
        'num_things_classes': 3,
        'num_stuff_classes': 2,
        'num_queries': 7,
        'pixel_decoder': {
            'type': 'mmseg_plugin.MaskDINOEncoder',
            'num_layers': 1,
            'num_heads': 4,
            'feedforward_channels': 24,
        },
        'transformer_decoder': {
            'num_layers': 2,
            'num_heads': 4,
            'feedforward_channels': 24,
        },
        'denoising': {'num_queries': 12},
        'loss_cls': {'type': 'mmseg_plugin.QueryFocalLoss'},
        'loss_mask': {'type': 'mmseg_plugin.PointMaskLoss', 'num_points': 48},
        'loss_bbox': {'type': 'mmseg_plugin.QueryBoxLoss'},
        'train_cfg': {'assigner': assigner()},
    }
    return config | changes


def tiny_mask_dino(**changes):
    return MODELS.build(tiny_mask_dino_config(**changes))


def without_masks(**changes):
    """The head as a detector, like DINO."""
    options = {
        'out_channels': None,
        'loss_mask': None,
        'num_things_classes': 3,
        'num_stuff_classes': 0,
        'train_cfg': {'assigner': assigner(masks=False)},
    }
    return tiny_mask_dino(**(options | changes))
