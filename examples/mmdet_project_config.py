# A project of mmdet: its detector, backbone and data; head, losses and
# results of the plugin, by their prefix and without `custom_imports`.
_base_ = '../configs/mask2former/mask2former_tiny_demo_scenes-panoptic.py'
model = dict(
    type='mmdet.Mask2Former',
    panoptic_head=dict(type='mmseg_plugin.Mask2FormerHead'),
    panoptic_fusion_head=dict(type='mmseg_plugin.QueryFusionHead'),
)
