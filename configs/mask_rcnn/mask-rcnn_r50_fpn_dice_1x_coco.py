_base_ = './mask-rcnn_r50_fpn_bce_1x_coco.py'
model = dict(
    roi_head=dict(
        mask_head=dict(
            loss_mask=dict(_delete_=True, type='mmseg_plugin.SoftDiceLoss')
        )
    )
)
