_base_ = (
    '../mask2former/mask2former_r50_8xb2-90k_cityscapes-panoptic-512x1024.py'
)
train_dataloader = dict(_base_.pairs_color, _delete_=True)
