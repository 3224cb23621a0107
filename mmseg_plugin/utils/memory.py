"""Memory of the process."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager


def release_memory() -> None:
    """Gives what is free back to the system.

    The C library keeps freed memory for later; what a data set needed while
    it was read would stay for the whole run, and with it in every worker.
    Does nothing but collect garbage where there is no glibc.
    """
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return


@contextmanager
def without_collection() -> Iterator[None]:
    """No search for garbage meanwhile, in which millions of objects are made.

    It would be gone through again and again while nothing is freed.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
