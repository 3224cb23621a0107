"""ImageNet MobileNetV2: `backbone = dict(_base_.mobilenet_v2, _delete_=True)`.

Other weights:
--cfg-options model.backbone.init_cfg.checkpoint=FILE_OR_URL
"""

mobilenet_v2 = dict(
    type='mmdet.MobileNetV2',
    out_indices=(1, 2, 4, 6),
    frozen_stages=2,
    norm_eval=True,
    init_cfg=dict(
        type='Pretrained', checkpoint='open-mmlab://mmdet/mobilenet_v2'
    ),
)
