"""mmdet's runtime with the plugin's engine."""

_base_ = ['mmdet::_base_/default_runtime.py', './parts.py']
default_hooks = dict(checkpoint=_base_.safe_checkpoint)
