_base_ = [
    '../_base_/models/maskdino_tiny.py',
    '../_base_/datasets/scenes_instance.py',
    '../_base_/schedules/scenes_demo.py',
]
model = _base_.query_model
