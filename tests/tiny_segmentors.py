"""mmseg's segmentors on a backbone of four convolutions."""

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn

from tests.tiny_heads import (
    CHANNELS,
    mask2former_pixel_decoder,
    maskformer_losses,
    point_losses,
    shared_config,
)
from tests.tiny_mask_dino import tiny_mask_dino_config

NUM_CLASSES = 4


class TinyBackbone(nn.Module):
    """Maps at strides 4, 8, 16 and 32, rounded up; tells pixels apart."""

    def __init__(self):
        super().__init__()
        widths = (3, *CHANNELS)
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=4 if a == 3 else 2, padding=1)
            for a, b in zip(widths, CHANNELS, strict=False)
        )

    def forward(self, image):
        maps = []
        for conv in self.convs:
            image = conv(image).tanh()
            maps.append(image)
        return maps


def mask2former_config(**changes):
    config = shared_config() | point_losses() | changes
    return config | {
        'type': 'mmseg_plugin.Mask2FormerHead',
        'pixel_decoder': mask2former_pixel_decoder(),
    }


def maskformer_config(**changes):
    config = shared_config() | maskformer_losses()
    return {
        **config,
        'type': 'mmseg_plugin.MaskFormerHead',
        'pixel_decoder': {'type': 'mmdet.PixelDecoder'},
        **changes,
    }


def mask_dino_config(**changes):
    """As published for semantic segmentation: one stage, softmax."""
    return tiny_mask_dino_config(
        two_stage=False,
        use_sigmoid=False,
        loss_cls={'type': 'mmseg_plugin.QueryClassLoss', 'loss_weight': 4.0},
        **changes,
    )


def query_decode_head(head=None, **changes):
    return {
        'type': 'mmseg_plugin.QueryDecodeHead',
        'head': head or mask2former_config(),
        'num_classes': NUM_CLASSES,
        **changes,
    }


def segmentor(decode_head, test_cfg=None, neck=None, **preprocessing):
    """A segmentor in eval mode, with seeded weights."""
    config = {
        'type': 'mmseg.EncoderDecoder',
        'data_preprocessor': {
            'type': 'mmseg.SegDataPreProcessor',
            'size_divisor': 32,
            'test_cfg': {'size_divisor': 32},
            **preprocessing,
        },
        'backbone': {'type': 'mmseg.ResNet', 'depth': 18},
        'neck': neck,
        'decode_head': decode_head,
        'train_cfg': {},
        'test_cfg': test_cfg or {'mode': 'whole'},
    }
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(Config(config))
    model.backbone = TinyBackbone()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 9
        parameter.data.normal_(std=1.5 / fan_in**0.5, generator=generator)
    return model.eval()


def images(*sizes):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(3, *size, generator=generator) for size in sizes]


def semantic_samples(*maps, **metainfo):
    """Samples of label maps (H, W), as mmseg's pipeline packs them."""
    found = []
    for labels in maps:
        size = tuple(labels.shape)
        sizes = {'img_shape': size, 'ori_shape': size}
        sample = SegDataSample(metainfo=sizes | metainfo)
        sample.gt_sem_seg = PixelData(data=labels[None])
        found.append(sample)
    return found


def run(model, image_list, samples, training=False):
    """Preprocesses, then the losses or the predictions."""
    batch = {'inputs': image_list, 'data_samples': samples}
    batch = model.data_preprocessor(batch, training)
    return model(**batch, mode='loss' if training else 'predict')
