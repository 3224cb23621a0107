"""Swin-L of ImageNet-22k: `backbone = dict(_base_.swin_l, _delete_=True)`."""

swin_l = dict(
    type='mmdet.SwinTransformer',
    pretrain_img_size=384,
    embed_dims=192,
    depths=[2, 2, 18, 2],
    num_heads=[6, 12, 24, 48],
    window_size=12,
    drop_path_rate=0.3,
    convert_weights=True,
    init_cfg=dict(
        type='Pretrained',
        checkpoint='https://github.com/SwinTransformer/storage/releases/'
        'download/v1.0.0/swin_large_patch4_window12_384_22k.pth',
    ),
)
