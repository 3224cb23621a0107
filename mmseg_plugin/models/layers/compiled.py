"""The switch for torch.compile."""

from collections.abc import Iterable

from torch import nn


def compile_parts(
    parts: Iterable[nn.Module | None], options: bool | dict
) -> None:
    """Compiles how modules are called; state dicts stay the same.

    Args:
        parts: changed in place; what is None is left out.
        options: False for nothing; True, or arguments of ``torch.compile``.
    """
    if options is False:
        return
    arguments = {} if options is True else dict(options)
    for part in parts:
        if part is not None:
            part.compile(**arguments)
