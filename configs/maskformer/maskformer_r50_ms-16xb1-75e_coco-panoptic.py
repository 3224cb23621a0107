_base_ = [
    'mmdet::maskformer/maskformer_r50_ms-16xb1-75e_coco.py',
    '../_base_/models/maskformer.py',
    '../_base_/datasets/coco.py',
]
model = _base_.maskformer
data_root = _base_.coco_root
train_dataloader = _base_.multi_scale_panoptic_train
val_dataloader = test_dataloader = _base_.panoptic_val
val_evaluator = test_evaluator = _base_.panoptic_quality
visualizer = dict(type='mmseg_plugin.SegmentVisualizer')
optim_wrapper = dict(constructor='mmseg_plugin.MergedOptimWrapperConstructor')
