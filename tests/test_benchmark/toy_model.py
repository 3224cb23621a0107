"""A model whose parameters and multiply-adds are known; its config."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from mmengine.registry import MODELS

CONFIG = """
default_scope = 'mmdet'
model = dict(type='ZooToy', num_classes=3)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=100.0))
test_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='mmdet.Resize', scale=(64, 32), keep_ratio=True),
            dict(type='mmdet.LoadAnnotations', with_mask=True),
            dict(type='mmdet.PackDetInputs'),
        ]
    )
)
"""


@MODELS.register_module()
class ZooToy(BaseModel):
    """A convolution and an attention of four heads over 10 tokens."""

    def __init__(self, num_classes, broken=''):
        super().__init__({'type': 'mmdet.DetDataPreprocessor'})
        self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)
        self.tokens = torch.nn.Parameter(torch.randn(1, 4, 10, 8))
        self.broken = broken
        self.seen = []

    def forward(self, inputs, data_samples, mode='tensor'):
        self.seen.append((mode, len(inputs), self.training))
        if mode == self.broken:
            raise ValueError('broken\non purpose')
        maps = self.conv(inputs)
        attended = F.scaled_dot_product_attention(*[self.tokens] * 3)
        if mode == 'loss':
            return {'loss': maps.mean() + attended.mean()}
        return maps, attended
