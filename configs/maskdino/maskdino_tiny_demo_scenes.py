_base_ = [
    '../_base_/models/maskdino_tiny.py',
    '../_base_/datasets/scenes_instance.py',
    '../_base_/schedules/scenes_demo.py',
]
# One map without overlaps beside the instances.
panoptic = dict(panoptic_on=True, object_mask_thr=0.25, filter_low_score=True)
model = dict(_base_.query_model, test_cfg=panoptic)
