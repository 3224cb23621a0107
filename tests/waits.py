"""Finds on a CPU where a training step would wait for a GPU.

All tensors are taken for those of a device, but those that :func:`to_host`
gives and those that are made without naming a device, and what is computed
from them alone.
"""

import sys
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._device import _device_constructors
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import mmseg_plugin
from mmseg_plugin.models.layers import deformable_attention
from mmseg_plugin.models.losses import point_sampler
from mmseg_plugin.ops import ms_deform_attn
from mmseg_plugin.utils.host import to_host

PACKAGE = Path(mmseg_plugin.__file__).parent
LIBRARIES = {'mmcv', 'mmdet', 'mmengine', 'mmseg'}
# Run on a CPU only.
CPU_CODE = {
    deformable_attention.DeformableAttention._attend.__code__,
    ms_deform_attn.gradients.__code__,
    point_sampler._fill_uniform.__code__,
    point_sampler._nearest_zero.__code__,
}
WAITING = {
    '_local_scalar_dense',
    '_unique2',
    'bincount',
    'equal',
    'histc',
    'is_nonzero',
    'isin',
    'masked_select',
    'nonzero',
    'nonzero_numpy',
    'unique_consecutive',
    'unique_dim',
}
MAKES = _device_constructors()
MAKES_FROM_DATA = {'as_tensor', 'asarray', 'new_tensor', 'tensor'}
READS = {'__array__', 'numpy', 'tolist'}
MOVES = {'cpu', 'cuda', 'to', 'type_as'}


def tensors_in(values):
    return [x for x in tree_leaves(values) if isinstance(x, Tensor)]


def frames():
    frame = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


def runs(*codes):
    return any(frame.f_code in codes for frame in frames())


def place():
    """Line of the package, or of a library, that runs."""
    for frame in frames():
        path = Path(frame.f_code.co_filename)
        if PACKAGE in path.parents or LIBRARIES & set(path.parts):
            return f'{path}:{frame.f_lineno}'
    return 'a gradient'


class Waits:
    """Context manager; ``seen`` says what waited where."""

    def __init__(self):
        self.seen = []
        # Storages stay alive, so that no other one takes their place.
        self.on_host = {}
        self.silent = False
        self.contexts = ExitStack()

    def __enter__(self):
        from_numpy = torch.from_numpy

        def make(array):
            tensor = from_numpy(array)
            self.put(tensor, host=not runs(*CPU_CODE))
            return tensor

        # No mode sees it.
        self.contexts.enter_context(patch('torch.from_numpy', make))
        self.contexts.enter_context(_Calls(self))
        self.contexts.enter_context(_Operators(self))
        return self

    def __exit__(self, *error):
        self.contexts.close()

    def note(self, name):
        if not self.silent and not runs(*CPU_CODE):
            self.seen.append(f'{name} in {place()}')

    def of_package(self):
        """Without those of libraries and of the gradients of operators.

        The plain operators stand in for those of a library, whose NMS waits
        for its copy too; its kernels are just not seen.
        """
        ops = str(PACKAGE / 'ops')
        return [x for x in self.seen if str(PACKAGE) in x and ops not in x]

    def is_host(self, tensor):
        return tensor.untyped_storage()._cdata in self.on_host

    def put(self, values, host):
        for tensor in tensors_in(values):
            storage = tensor.untyped_storage()
            if host:
                self.on_host[storage._cdata] = storage
            else:
                self.on_host.pop(storage._cdata, None)


class _Calls(TorchFunctionMode):
    """Sees what names a device, and what operators do not show."""

    def __init__(self, waits):
        super().__init__()
        self.waits = waits

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(function, '__name__', '')
        if name == 'one_hot' and (len(args) > 1 or kwargs):
            # Checks its input on a CPU only.
            self.waits.silent = True
            try:
                return function(*args, **kwargs)
            finally:
                self.waits.silent = False
        out = function(*args, **kwargs)
        if runs(*CPU_CODE):
            return out
        if name == 'prod' and out.requires_grad:
            # Its gradient counts zeros, but not while modes look on.
            self.waits.note('gradient of prod')
        if name in MOVES:
            return self.moved(name, out, args, kwargs)
        if name in READS and not self.waits.is_host(args[0]):
            self.waits.note(name)
        elif name in MAKES_FROM_DATA:
            self.made(name, out, args, kwargs)
        elif function in MAKES and kwargs.get('device') in (None, 'cpu'):
            self.waits.put(out, host=True)
        return out

    def made(self, name, out, args, kwargs):
        host = kwargs.get('device') in (None, 'cpu')
        if name == 'new_tensor':
            host = self.waits.is_host(args[0])
        elif isinstance(args[0], Tensor):
            return
        if not host:
            self.waits.note(name)
        self.waits.put(out, host)

    def moved(self, name, out, args, kwargs):
        source, *target = *args, *kwargs.values()
        was_host = self.waits.is_host(source)
        host = was_host
        for value in target:
            if isinstance(value, Tensor):
                host = self.waits.is_host(value)
            elif isinstance(value, torch.device):
                host = False
        if name == 'cpu' or 'cpu' in target:
            host = True
        if host == was_host:
            return out
        out = out.clone()
        self.waits.put(out, host)
        counted = host and runs(to_host.__code__)
        pinned = not host and kwargs.get('non_blocking')
        if not counted and not pinned:
            self.waits.note(name)
        return out


class _Operators(TorchDispatchMode):
    """Sees the operators, those of gradients too."""

    def __init__(self, waits):
        super().__init__()
        self.waits = waits

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = tensors_in((args, kwargs))
        hosts = [self.waits.is_host(tensor) for tensor in given]
        out = function(*args, **kwargs)
        if given and all(hosts):
            self.waits.put(out, host=True)
        elif self.must_wait(function, args, kwargs):
            self.waits.note(function.overloadpacket.__name__)
        elif any(
            host and tensor.dim()
            for tensor, host in zip(given, hosts, strict=True)
        ):
            self.waits.note(f'{function} of host and device')
        return out

    @staticmethod
    def must_wait(function, args, kwargs):
        name = function.overloadpacket.__name__
        if name == 'repeat_interleave':
            return kwargs.get('output_size') is None
        if name in ('index', 'index_put', 'index_put_', '_index_put_impl_'):
            masks = [
                index
                for index in args[1]
                if index is not None
                and index.dtype in (torch.bool, torch.uint8)
            ]
            # One value fills a mask without counting it.
            fills = name != 'index' and args[2].numel() == 1
            return bool(masks) and not fills
        return name in WAITING
