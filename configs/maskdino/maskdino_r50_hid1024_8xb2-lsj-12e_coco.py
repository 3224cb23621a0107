_base_ = './maskdino_r50_8xb2-lsj-12e_coco.py'
model = _base_.hid1024
