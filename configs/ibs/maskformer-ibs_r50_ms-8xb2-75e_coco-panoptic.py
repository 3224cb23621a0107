_base_ = [
    '../maskformer/maskformer_r50_ms-16xb1-75e_coco-panoptic.py',
    '../_base_/models/ibs.py',
]
model = dict(panoptic_head=dict(loss_ibs=_base_.ibs_maskformer))
train_dataloader = dict(_base_.whole_batches, batch_size=2)
visualizer = dict(type='mmseg_plugin.SegmentVisualizer')
