_base_ = '../maskformer/maskformer_r50_8xb2-160k_ade20k-512x512.py'
head = _base_.model.decode_head.head
model = dict(
    decode_head=dict(
        _delete_=True,
        type='mmseg_plugin.PerPixelBaselineHead',
        in_channels=head.in_channels,
        pixel_decoder=head.pixel_decoder,
        num_classes=150,
    ),
)
