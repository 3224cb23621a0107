_base_ = [
    '../_base_/models/maskdino.py',
    '../_base_/datasets/coco_instance_lsj.py',
    '../_base_/schedules/maskdino.py',
]
test_dataloader = _base_.test_dev_loader
test_evaluator = _base_.test_dev_results
