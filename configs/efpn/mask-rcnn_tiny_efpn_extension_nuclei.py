_base_ = './mask-rcnn_tiny_efpn_joint_nuclei.py'
model = dict(stage='extension')
load_from = 'work_dirs/mask-rcnn_tiny_fpn_nuclei/iter_600.pth'
