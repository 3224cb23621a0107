_base_ = './maskdino_r50_8xb2-lsj-50e_coco.py'
model = dict(
    panoptic_head=dict(
        initialize_box_type='bitmask',
        pixel_decoder=dict(
            num_extra_levels=0,
            feature_order='high2low',
            feedforward_channels=1024,
        ),
    )
)
