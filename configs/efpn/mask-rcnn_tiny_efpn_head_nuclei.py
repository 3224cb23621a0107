_base_ = './mask-rcnn_tiny_efpn_joint_nuclei.py'
model = dict(stage='head')
load_from = 'work_dirs/mask-rcnn_tiny_efpn_extension_nuclei/iter_600.pth'
