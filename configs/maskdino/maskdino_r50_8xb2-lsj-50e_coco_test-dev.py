_base_ = './maskdino_r50_8xb2-lsj-50e_coco.py'
test_dataloader = _base_.test_dev_loader
test_evaluator = _base_.instance_results
