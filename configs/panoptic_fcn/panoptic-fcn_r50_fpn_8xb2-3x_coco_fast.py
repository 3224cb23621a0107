_base_ = './panoptic-fcn_r50_fpn_8xb2-3x_coco.py'
model = dict(test_cfg=dict(center_thr=0.2, region_thr=0.1))
