"""Where the CPU time of a call goes: operators of PyTorch, and the rest."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from harness import BENCHES, CPU
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

OTHER = 'Python, NumPy'
LARGEST = 5


class Seconds(TorchDispatchMode):
    """CPU time of each operator while it is entered, those of gradients too.

    An operator of several parts counts as its parts, one of our own as one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.of: Counter[str] = Counter()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> Any:
        start = time.thread_time()
        result = func(*args, **(kwargs or {}))
        self.of[func.overloadpacket.__name__] += time.thread_time() - start
        return result


def parts_of(call: Callable[[], Any]) -> tuple[float, Counter[str]]:
    """Seconds of a call, and of its parts."""
    call()
    total = CPU.seconds(call)
    with Seconds() as seen:
        call()
    parts = seen.of
    parts[OTHER] = max(total - parts.total(), 0)
    return total, parts


def show_parts(names: Sequence[str]) -> None:
    """Prints what bounds both arms of benchmarks of time.

    The largest parts, and how long products and convolutions would take if
    they ran as fast as a product of large matrices.
    """
    rate = matmul_rate()
    print(f'products of large matrices: {rate / 1e9:.0f} GFLOP/s')
    for name in names:
        if BENCHES[name].unit != 's':
            continue
        arms = BENCHES[name].arms(CPU.device)
        for arm, call in zip(arms._fields, arms, strict=True):
            total, parts = parts_of(call)
            with FlopCounterMode(display=False) as counter:
                call()
            bound = counter.get_total_flops() / rate
            shares = [
                f'{part} {seconds / max(parts.total(), 1e-9):.0%}'
                for part, seconds in parts.most_common(LARGEST)
            ]
            print(
                f'{name}, {arm}: {total:.4g} s, products at least '
                f'{bound:.3g} s; {", ".join(shares)}',
                flush=True,
            )


def matmul_rate(size: int = 2048) -> float:
    """Additions and multiplications a second of this core, in float32."""
    one = torch.randn(size, size)
    return 2 * size**3 / min(CPU.seconds(lambda: one @ one) for _ in range(5))
