_base_ = './panoptic-fcn_r50_fpn_8xb2-3x_coco.py'
model = dict(
    panoptic_head=dict(
        feature_encoder=dict(channels=256, conv_cfg=_base_.deformed)
    )
)
