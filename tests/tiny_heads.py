"""Query heads small enough to run in milliseconds."""

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData, PixelData

from mmseg_plugin.models.dense_heads import Mask2FormerHead, MaskFormerHead

CHANNELS = (4, 6, 8, 10)
SIZE = (64, 96)
DIMS = 32


def _attention():
    return {
        'embed_dims': DIMS,
        'num_heads': 4,
        'dropout': 0.0,
        'batch_first': True,
    }


def _ffn():
    return {'embed_dims': DIMS, 'feedforward_channels': 24, 'num_fcs': 2}


def _decoder(num_layers):
    layer = {
        'self_attn_cfg': _attention(),
        'cross_attn_cfg': _attention(),
        'ffn_cfg': _ffn(),
    }
    return {'num_layers': num_layers, 'layer_cfg': layer}


def shared_config(num_layers=3):
    return {
        'in_channels': list(CHANNELS),
        'feat_channels': DIMS,
        'out_channels': DIMS,
        'num_things_classes': 3,
        'num_stuff_classes': 2,
        'num_queries': 7,
        'transformer_decoder': _decoder(num_layers),
    }


def mask2former_pixel_decoder(num_levels=3):
    attention = _attention() | {'num_levels': num_levels}
    layer = {'self_attn_cfg': attention, 'ffn_cfg': _ffn()}
    return {
        'type': 'mmseg_plugin.MSDeformAttnPixelDecoder',
        'encoder': {'num_layers': 1, 'layer_cfg': layer},
        'positional_encoding': {'num_feats': DIMS // 2, 'normalize': True},
    }


def tiny_mask2former(**changes):
    config = {'pixel_decoder': mask2former_pixel_decoder()}
    return Mask2FormerHead(**(shared_config() | config | changes))


def tiny_maskformer(**changes):
    config = {'pixel_decoder': {'type': 'mmdet.PixelDecoder'}}
    return MaskFormerHead(**(shared_config() | config | changes))


def point_losses():
    return {
        'loss_cls': {'type': 'mmseg_plugin.QueryClassLoss'},
        'loss_mask': {'type': 'mmseg_plugin.PointMaskLoss', 'num_points': 48},
        'train_cfg': {'assigner': point_assigner()},
    }


def point_assigner():
    costs = [
        {'type': 'mmseg_plugin.SoftmaxClassCost', 'weight': 2.0},
        {'type': 'mmseg_plugin.MaskBCECost', 'weight': 5.0},
        {'type': 'mmseg_plugin.MaskDiceCost', 'weight': 5.0},
    ]
    return {
        'type': 'mmseg_plugin.BatchHungarianAssigner',
        'costs': costs,
        'num_points': 48,
    }


def backbone_maps(batch_size=2, **kwargs):
    return [
        torch.randn(batch_size, c, SIZE[0] // s, SIZE[1] // s, **kwargs)
        for c, s in zip(CHANNELS, (4, 8, 16, 32), strict=True)
    ]


def maskformer_losses():
    costs = [
        {'type': 'mmseg_plugin.SoftmaxClassCost'},
        {'type': 'mmseg_plugin.MaskFocalCost', 'weight': 20.0},
        {'type': 'mmseg_plugin.MaskDiceCost'},
    ]
    assigner = {
        'type': 'mmseg_plugin.BatchHungarianAssigner',
        'costs': costs,
        'num_points': None,
    }
    return {
        'loss_cls': {'type': 'mmseg_plugin.QueryClassLoss'},
        'loss_mask': {'type': 'mmseg_plugin.DenseMaskLoss'},
        'train_cfg': {'assigner': assigner},
    }


def samples(*counts, stuff=True, size=SIZE):
    """Data samples with ``counts`` things each, and both stuff classes."""
    found = []
    for i, count in enumerate(counts):
        rng = np.random.default_rng(i)
        masks = np.zeros((count, *size), np.uint8)
        for mask in masks:
            top, left = rng.integers(0, size[0] - 9), rng.integers(0, 80)
            mask[top : top + 9, left : left + 14] = 1
        sample = DetDataSample(
            metainfo={
                'batch_input_shape': size,
                'img_shape': size,
                'ori_shape': size,
                'img_id': i,
            }
        )
        sample.gt_instances = InstanceData(
            labels=torch.from_numpy(rng.integers(0, 3, count)),
            masks=BitmapMasks(masks, *size),
        )
        if stuff:
            sem_seg = torch.full((1, *size), 3)
            sem_seg[..., 50:] = 4
            sem_seg[:, :5] = 255
            sample.gt_sem_seg = PixelData(sem_seg=sem_seg)
        found.append(sample)
    return found
