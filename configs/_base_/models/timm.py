"""Backbones of timm for configs that inherit a query model with an R50.

The licence of DINOv3's weights is Meta's own (DINOv3 License): read it before
you use them.
"""

convnext_t_dinov3 = dict(
    _delete_=True,
    type='mmseg_plugin.TimmBackbone',
    name='convnext_tiny.dinov3_lvd1689m',
)
vit_s_dinov3 = dict(
    _delete_=True,
    type='mmseg_plugin.TimmBackbone',
    name='vit_small_patch16_dinov3.lvd1689m',
)
vit_b_dinov3 = dict(vit_s_dinov3, name='vit_base_patch16_dinov3.lvd1689m')
# Of the backbone.
found_out = dict(in_channels=None)
