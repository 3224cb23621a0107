"""Where the CPU time of a call goes: operators of PyTorch, and the rest."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from harness import BENCHES, CPU
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

OTHER = 'Python, NumPy'
LARGEST = 5


class Seconds(TorchDispatchMode):
    """CPU time of each operator while it is entered, those of gradients too.

    An operator of several parts counts as its parts, one of our own as one.

    Attributes:
        of: seconds of each.
        flops: additions and multiplications of products and convolutions.
    """

    def __init__(self) -> None:
        super().__init__()
        self.of: Counter[str] = Counter()
        self.flops = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        kind = func.overloadpacket
        start = time.thread_time()
        result = func(*args, **kwargs)
        seconds = time.thread_time() - start
        self.of[kind.__name__] += seconds  # type: ignore[assignment]
        # Those in place count as the others.
        name = kind.__name__.rstrip('_')
        count = flop_registry.get(getattr(torch.ops.aten, name, None))
        if count is not None:
            self.flops += count(*args, **kwargs, out_val=result)
        return result


def parts_of(call: Callable[[], Any]) -> tuple[float, Seconds]:
    """Seconds of a call, and its parts."""
    call()
    total = CPU.seconds(call)
    with Seconds() as seen:
        call()
    seen.of[OTHER] = max(total - seen.of.total(), 0)
    return total, seen


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
            total, seen = parts_of(call)
            whole = max(seen.of.total(), 1e-9)
            shares = [
                f'{part} {seconds / whole:.0%}'
                for part, seconds in seen.of.most_common(LARGEST)
            ]
            print(
                f'{name}, {arm}: {total:.4g} s, products at least '
                f'{seen.flops / rate:.3g} s; {", ".join(shares)}',
                flush=True,
            )


def matmul_rate(size: int = 2048) -> float:
    """Additions and multiplications a second of this core, in float32."""
    one = torch.randn(size, size)
    return 2 * size**3 / min(CPU.seconds(lambda: one @ one) for _ in range(5))
