"""Whole detectors that are exported in a second or two."""

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from mmseg_plugin.exporting.export import Options, write_onnx
from mmseg_plugin.exporting.parity import Case, run_parity
from mmseg_plugin.exporting.session import OnnxModel
from tests.tiny_mask_dino import tiny_mask_dino_config
from tests.tiny_segmentors import (
    TinyBackbone,
    mask2former_config,
    maskformer_config,
)

CLASSES = ('a', 'b', 'c', 'd', 'e')
EVERYTHING = {
    'panoptic_on': True,
    'instance_on': True,
    'semantic_on': True,
    'object_mask_thr': 0.2,
    'iou_thr': 0.3,
    'filter_low_score': True,
    'max_per_image': 12,
}
HEADS = {
    'mask2former': mask2former_config,
    'maskformer': maskformer_config,
    'mask_dino': tiny_mask_dino_config,
}
PREPROCESSOR = {
    'type': 'mmdet.DetDataPreprocessor',
    'mean': [123.675, 116.28, 103.53],
    'std': [58.395, 57.12, 57.375],
    'bgr_to_rgb': True,
    'pad_size_divisor': 32,
}


def config_of(model, *steps, scope='mmdet'):
    """A config with the pipeline that an export writes down."""
    pipeline = [{'type': 'LoadImageFromFile'}, *steps]
    pack = 'mmdet.PackDetInputs' if scope == 'mmdet' else 'mmseg.PackSegInputs'
    return Config(
        {
            'default_scope': scope,
            'model': model,
            'test_dataloader': {
                'dataset': {'pipeline': [*pipeline, {'type': pack}]}
            },
        }
    )


def query_detector(name, **test_cfg):
    """A detector with one of :data:`HEADS`, and its config."""
    sigmoid = {'use_sigmoid': True} if name == 'mask_dino' else {}
    model = {
        'type': 'mmseg_plugin.QueryDetector',
        'data_preprocessor': PREPROCESSOR,
        'backbone': {'type': 'mmdet.ResNet', 'depth': 18},
        'panoptic_head': HEADS[name](),
        'panoptic_fusion_head': {
            'type': 'mmseg_plugin.QueryFusionHead',
            'num_things_classes': 3,
            'num_stuff_classes': 2,
            **sigmoid,
        },
        'test_cfg': EVERYTHING | test_cfg,
    }
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        built = MODELS.build(Config(model))
    built.backbone = TinyBackbone()
    # Far from a tie between classes.
    built.panoptic_head.cls_embed.weight.data *= 6
    return built.eval(), model


def photo(height, width, seed=0):
    """Blobs of colour, BGR, uint8."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    rows = np.arange(height) * 5 // height
    columns = np.arange(width) * 6 // width
    return small[rows][:, columns]


def exported(path, model, config, **options):
    """The exported file, loaded."""
    meta = {'classes': CLASSES}
    write_onnx(model, meta, config, Options(**options), path)
    return OnnxModel(path, threads=1)


def parity(model, onnx_model, *images):
    return run_parity(
        model, onnx_model, [Case(image) for image in images], None
    )
