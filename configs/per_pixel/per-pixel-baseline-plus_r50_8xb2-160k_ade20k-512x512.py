_base_ = '../maskformer/maskformer_r50_8xb2-160k_ade20k-512x512.py'
unmatched = dict(loss_cls=None, loss_mask=None, train_cfg=None)
model = dict(
    decode_head=dict(
        type='mmseg_plugin.PerPixelBaselinePlusHead',
        head=unmatched,
    ),
)
