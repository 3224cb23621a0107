# The weights are under Meta's own licence, the DINOv3 License.
_base_ = [
    'mask2former_r50_8xb2-160k_ade20k-512x512.py',
    '../_base_/models/timm.py',
]
model = dict(
    backbone=_base_.vit_s_dinov3, decode_head=dict(head=_base_.found_out)
)
