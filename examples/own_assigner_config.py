_base_ = '../configs/mask2former/mask2former_tiny_demo_scenes-panoptic.py'
custom_imports = dict(imports=['own_assigner'])
model = dict(train_cfg=dict(assigner=dict(type='mmdet.GreedyAssigner')))
