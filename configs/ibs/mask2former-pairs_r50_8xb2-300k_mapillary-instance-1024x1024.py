_base_ = (
    '../mask2former/mask2former_r50_8xb2-300k_mapillary-instance-1024x1024.py'
)
train_dataloader = dict(_base_.instance_pairs_color, _delete_=True)
