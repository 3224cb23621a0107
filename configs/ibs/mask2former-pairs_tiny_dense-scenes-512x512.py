_base_ = './mask2former_tiny_dense-scenes-512x512.py'
train_dataloader = dict(_base_.pairs, _delete_=True)
