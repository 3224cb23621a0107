_base_ = [
    'mmdet::maskformer/maskformer_r50_ms-16xb1-75e_coco.py',
    '../_base_/models/maskformer_zoo.py',
    '../_base_/datasets/coco_panoptic_ms.py',
]
model = _base_.maskformer
data_root = _base_.coco_root
train_dataloader = _base_.ms_train_dataloader
val_dataloader = test_dataloader = _base_.panoptic_val_dataloader
val_evaluator = test_evaluator = _base_.panoptic_quality
visualizer = dict(type='mmseg_plugin.SegmentVisualizer')
optim_wrapper = dict(constructor=_base_.merged_groups)
