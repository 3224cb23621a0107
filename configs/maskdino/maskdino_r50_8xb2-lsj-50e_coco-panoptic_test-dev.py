_base_ = './maskdino_r50_8xb2-lsj-50e_coco-panoptic.py'
test_dataloader = _base_.test_dev_loader
test_evaluator = _base_.panoptic_results
