_base_ = [
    '../_base_/models/maskdino_tiny.py',
    '../_base_/datasets/scenes_instance.py',
    '../_base_/schedules/scenes_demo.py',
]
# One map without overlaps beside the instances.
panoptic = dict(panoptic_on=True, object_mask_thr=0.25, filter_low_score=True)
classes = dict(num_things_classes=6, num_stuff_classes=0)
model = dict(
    panoptic_head=classes, panoptic_fusion_head=classes, test_cfg=panoptic
)
