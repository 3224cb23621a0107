"""Values for configs that inherit from mmdet's zoo: model and engine."""

_base_ = ['./mask2former.py', '../runtime/parts.py']
