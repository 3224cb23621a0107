_base_ = [
    'mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py',
    '../_base_/models/mask2former_zoo.py',
    '../_base_/datasets/coco_panoptic_lsj.py',
]
model = _base_.mask2former
data_root = _base_.coco_root
train_dataloader = _base_.lsj_train_dataloader
val_dataloader = test_dataloader = _base_.panoptic_val_dataloader
val_evaluator = test_evaluator = _base_.panoptic_evaluator
visualizer = dict(type='mmseg_plugin.SegmentVisualizer')
optim_wrapper = dict(constructor=_base_.merged_groups)
