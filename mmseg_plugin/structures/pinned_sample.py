"""Samples whose tensors a loader can pin."""

from typing import TypeVar

from mmdet.structures import DetDataSample
from mmengine.structures import BaseDataElement

Element = TypeVar('Element', bound=BaseDataElement)


class PinnedDetDataSample(DetDataSample):
    """mmdet's sample, which ``pin_memory=True`` of a loader pins too.

    PyTorch's pinning thread looks into lists and dicts, not into samples:
    without it only images are pinned, and targets are copied on the main
    thread.
    """

    def pin_memory(self) -> 'PinnedDetDataSample':
        """A sample of the same data in pinned memory."""
        return _pinned(self)


def _pinned(element: Element) -> Element:
    pinned = element.new()
    for key, value in element.items():
        if isinstance(value, BaseDataElement):
            value = _pinned(value)
        elif hasattr(value, 'pin_memory'):
            value = value.pin_memory()
        setattr(pinned, key, value)
    return pinned
