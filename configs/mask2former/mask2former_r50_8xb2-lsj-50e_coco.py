_base_ = [
    'mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco.py',
    '../_base_/models/mask2former.py',
    '../_base_/datasets/coco.py',
]
model = _base_.mask2former
data_root = _base_.coco_root
train_dataloader = _base_.lsj_instance_train
val_dataloader = test_dataloader = _base_.coco_loader
val_evaluator = test_evaluator = _base_.instance_quality
visualizer = dict(type='mmseg_plugin.SegmentVisualizer')
optim_wrapper = dict(constructor='mmseg_plugin.MergedOptimWrapperConstructor')
