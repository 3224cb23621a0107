_base_ = './mask-rcnn_mobilenetv2_fpn_bce_nuclei.py'
train_pipeline = [
    *_base_.train_pipeline[:2],
    dict(type='mmseg_plugin.NoisyMasks', strength=3),
    *_base_.train_pipeline[2:],
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
