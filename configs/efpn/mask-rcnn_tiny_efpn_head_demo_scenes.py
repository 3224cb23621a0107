_base_ = './mask-rcnn_tiny_efpn_joint_demo_scenes.py'
model = dict(stage='head')
load_from = 'work_dirs/mask-rcnn_tiny_efpn_extension_demo_scenes/epoch_2.pth'
