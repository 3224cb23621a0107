_base_ = './mask-rcnn_tiny_fpn_demo_scenes.py'
model = dict(
    roi_head=dict(
        mask_head=dict(
            loss_mask=dict(_delete_=True, type='mmseg_plugin.SoftDiceLoss')
        )
    )
)
