"""Values for configs that inherit from mmdet's zoo: model and engine."""

_base_ = ['./maskformer.py', '../runtime/parts.py']
