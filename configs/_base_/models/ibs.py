"""Intra-Batch Supervision, to put into a head: `loss_ibs=_base_.ibs_...`.

`loss_weight` is lambda, the whole factor of the loss, as the paper's
supplement has it. The published code had 50 (Cityscapes) and 100 (Mapillary)
for Mask2Former, 4 and 15 for Panoptic FCN.
"""

ibs_mask2former = dict(
    type='mmseg_plugin.IntraBatchLoss', loss_weight=100.0, num_points=12544
)
ibs_maskformer = ibs_mask2former
ibs_maskdino = ibs_mask2former
ibs_panoptic_fcn = dict(
    type='mmseg_plugin.IntraBatchLoss',
    loss_weight=1.0,
    num_points=None,
)

# With epochs: a last batch of one image has no other to be compared with.
whole_batches = dict(batch_sampler=dict(drop_last=True))
