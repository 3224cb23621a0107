_base_ = './mask-rcnn_tiny_efpn_joint_demo_scenes.py'
model = dict(stage='extension')
load_from = 'work_dirs/mask-rcnn_tiny_fpn_demo_scenes/epoch_2.pth'
