_base_ = './panoptic-fcn_r50_fpn_8xb4-150k_mapillary-1024x1024.py'
model = dict(panoptic_head=dict(feature_encoder=dict(channels=64)))
