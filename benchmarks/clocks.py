"""How the time and the memory of a call are measured on each device."""

import ctypes
import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch

from mmseg_plugin.cli.cli import UserError

Call = Callable[[], Any]
MEGABYTE = 2**20


class Clock(Protocol):
    """Measures calls on one device."""

    device: torch.device

    def seconds(self, call: Call) -> float:
        """Time of one call, all that it starts included."""


class CPUClock:
    """CPU time of this process, which other programs do not add to."""

    device = torch.device('cpu')

    def seconds(self, call: Call) -> float:
        before = time.process_time()
        call()
        return time.process_time() - before


class EventClock:
    """Time between two events of an accelerator, which has to be idle.

    What the host does while the accelerator waits counts too.

    Args:
        device: the accelerator.
        backend: makes its events and knows its memory.
    """

    def __init__(self, device: torch.device, backend: Any = torch.cuda):
        self.device = device
        self.backend = backend

    @property
    def name(self) -> str:
        """What the maker calls the device."""
        return self.backend.get_device_name()

    def seconds(self, call: Call) -> float:
        start, end = (self.backend.Event(enable_timing=True) for _ in '12')
        self.backend.synchronize()
        start.record()
        call()
        end.record()
        self.backend.synchronize()
        return start.elapsed_time(end) / 1000

    def peak(self, call: Call) -> float:
        """Growth of what tensors occupy, by the allocator's own record."""
        self.backend.synchronize()
        self.backend.reset_peak_memory_stats()
        before = self.backend.memory_allocated()
        call()
        self.backend.synchronize()
        most = self.backend.max_memory_allocated()
        return (most - before) / MEGABYTE


def peak_growth(call: Call) -> float:
    """Megabytes by which this process grows during one call, at most.

    Linux with glibc only: what the allocator kept is given back and the
    kernel's record of the peak is reset before the call, so that preparing
    the inputs does not hide what the call needs.
    """
    gc.collect()
    ctypes.CDLL('libc.so.6').malloc_trim(0)
    Path('/proc/self/clear_refs').write_text('5')
    before = _resident('VmRSS')
    call()
    return _resident('VmHWM') - before


def _resident(name: str) -> float:
    status = Path('/proc/self/status').read_text()
    return int(status.split(f'{name}:')[1].split()[0]) / 1024


def cuda_clock() -> EventClock:
    """The clock of the current CUDA device.

    Raises:
        UserError: there is none.
    """
    if not torch.cuda.is_available():
        raise UserError(
            f'--device cuda: torch {torch.__version__} finds no CUDA device '
            'on this machine: run it where there is one, or leave --device '
            'out to measure on the CPU'
        )
    return EventClock(torch.device('cuda'))
