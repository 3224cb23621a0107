"""What panoptic segmentation changes: `model = _base_.maskdino_panoptic`.

The published code trains panoptic models with the boxes of stuff too, and
with the boxes of the encoder's pixels as the decoder's first ones.
"""

maskdino_panoptic = dict(
    panoptic_head=dict(initialize_box_type='no'),
    test_cfg=dict(
        panoptic_on=True,
        instance_on=True,
        semantic_on=True,
        object_mask_thr=0.25,
        iou_thr=0.8,
        filter_low_score=True,
        temperature=0.06,
    ),
)
