from .extended_resnet import ExtendedResNet, ExtendedResNeXt

__all__ = ['ExtendedResNeXt', 'ExtendedResNet']
