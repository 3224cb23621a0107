"""mmdet's runtime with the plugin's engine."""

_base_ = ['mmdet::_base_/default_runtime.py', './parts.py']
