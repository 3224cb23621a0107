_base_ = [
    'maskdino_r50_8xb2-160k_ade20k-semantic-512x512.py',
    '../_base_/models/timm.py',
]
model = dict(backbone=_base_.vit_b_dinov3, panoptic_head=_base_.found_out)
