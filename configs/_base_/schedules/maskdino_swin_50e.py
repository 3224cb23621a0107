"""50 epochs of COCO for Swin-B and Swin-L."""

_base_ = ['./maskdino_50e.py', './maskdino_swin.py']
optim_wrapper = _base_.swin_optim_wrapper
