"""24 epochs of COCO from a detector pre-trained on Objects365, with EMA.

Give its checkpoint by ``--cfg-options load_from=...``.
"""

_base_ = ['./maskdino_24e.py', './maskdino_swin.py']
optim_wrapper = _base_.swin_optim_wrapper
custom_hooks = [dict(type='EMAHook')]
