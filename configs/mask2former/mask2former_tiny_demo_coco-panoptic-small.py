_base_ = [
    '../_base_/models/mask2former_tiny.py',
    '../_base_/datasets/coco_panoptic_small.py',
    '../_base_/schedules/scenes_demo.py',
]
model = _base_.query_model
