from .extended_resnet import ExtendedResNet, ExtendedResNeXt
from .timm_backbone import TimmBackbone

__all__ = ['ExtendedResNeXt', 'ExtendedResNet', 'TimmBackbone']
