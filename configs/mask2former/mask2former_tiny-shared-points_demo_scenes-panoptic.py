_base_ = './mask2former_tiny_demo_scenes-panoptic.py'
model = dict(panoptic_head=dict(loss_mask=dict(shared_points=True)))
