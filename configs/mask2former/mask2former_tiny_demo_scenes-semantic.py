_base_ = [
    '../_base_/models/segmentor_tiny.py',
    '../_base_/datasets/scenes_semantic.py',
    '../_base_/schedules/semantic_demo.py',
]
model = dict(
    decode_head=dict(
        type='mmseg_plugin.QueryDecodeHead',
        num_classes=9,
        head=_base_.tiny_head,
    ),
)
