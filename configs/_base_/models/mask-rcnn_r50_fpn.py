_base_ = 'mmdet::_base_/models/mask-rcnn_r50_fpn.py'

model = dict(
    type='mmseg_plugin.MaskRCNN',
    roi_head=dict(
        mask_head=dict(
            type='mmseg_plugin.MultiLossMaskHead',
            loss_mask=dict(
                _delete_=True,
                type='mmseg_plugin.LabelSmoothingBCELoss',
                smoothing=0.0,
                loss_weight=1.0,
            ),
        )
    ),
)

# Beside mmdet's runtime, which has none of them.
mask_rcnn_hooks = dict(
    matmul=dict(type='mmseg_plugin.MatmulPrecisionHook'),
    progress=dict(type='mmseg_plugin.ProgressHook'),
    pictures=dict(type='mmseg_plugin.PicturesHook'),
    checkpoint=dict(type='mmseg_plugin.SafeCheckpointHook'),
)
