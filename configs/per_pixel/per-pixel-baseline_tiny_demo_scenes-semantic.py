_base_ = [
    '../_base_/models/segmentor_tiny.py',
    '../_base_/datasets/scenes_semantic.py',
    '../_base_/schedules/semantic_demo.py',
]
head = dict(type='mmseg_plugin.PerPixelBaselineHead', feat_channels=64)
pixel_decoder = dict(type='mmdet.PixelDecoder')
sizes = dict(in_channels=_base_.tiny_head.in_channels, out_channels=64)
classes = dict(num_classes=9, pixel_decoder=pixel_decoder)
model = dict(decode_head=dict(head, **sizes, **classes))
