"""Mask DINO for mmseg: one stage, softmax with no-object, three levels.

As published for ADE20K and Cityscapes. The config that uses it gives
num_classes.

Source: MaskDINO 3831d85, configs/ade20k/semantic-segmentation/
maskdino_R50_bs16_160k_steplr.yaml.
"""

_base_ = ['./segmentor_r50.py', './maskdino_head.py', './swin-l.py']

model = dict(
    decode_head=dict(
        type='mmseg_plugin.QueryDecodeHead',
        head=dict(
            _base_.maskdino_head,
            num_queries=100,
            two_stage=False,
            initialize_box_type='no',
            use_sigmoid=False,
            pixel_decoder=dict(
                _base_.maskdino_head.pixel_decoder,
                num_extra_levels=0,
                feature_order='high2low',
                feedforward_channels=1024,
            ),
            loss_cls=dict(type='mmseg_plugin.QueryClassLoss', loss_weight=4.0),
            train_cfg=dict(assigner=_base_.maskdino_assigner),
        ),
    ),
)

# What Swin-L changes. The paper gives the queries; the levels are those of the
# published COCO models, from whose pre-training this one starts.
maskdino_segmentor_large = dict(
    backbone=dict(_base_.swin_l, _delete_=True),
    decode_head=dict(
        head=dict(
            in_channels=[192, 384, 768, 1536],
            num_queries=900,
            pixel_decoder=dict(
                num_encoder_levels=4,
                num_extra_levels=1,
                feature_order='low2high',
                feedforward_channels=2048,
            ),
        )
    ),
)
