_base_ = [
    '../_base_/models/mask-rcnn_tiny_fpn.py',
    '../_base_/datasets/scenes_instance.py',
    '../_base_/schedules/scenes_demo.py',
]
classes = dict(num_classes=6)
model = dict(roi_head=dict(bbox_head=classes, mask_head=classes))
double = dict(type='mmdet.Resize', scale_factor=2.0)
train_pipeline = [*_base_.train_pipeline, _base_.train_pipeline[-1]]
train_pipeline[-2] = double
test_pipeline = [*_base_.test_pipeline]
test_pipeline[1] = double
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
