_base_ = './maskdino_r50_8xb2-lsj-24e_coco.py'
model = _base_.hid1024
