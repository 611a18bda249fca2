"""Both cores for a compiled loop: strips of it run side by side in plain threads.

The loops are numba functions that release the interpreter's lock. Plain Python threads are safe under any server,
while numba's own thread pools are not when two visitors arrive at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "strip")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a forked process has none of its parent's threads


def in_strips(function: Callable[[int, int, int], object], count: int, strips: int | None = None) -> list:
    """Call ``function(strip, start, stop)`` for contiguous strips of ``range(count)``, side by side; what they return.

    By default one strip per thread, with at least 4096 of ``count`` each. Where sums of floating-point numbers are
    to come out alike on every machine, fix ``strips``. ``function`` must not call ``in_strips`` itself.
    """
    threads = torch.get_num_threads()
    strips = strips or max(1, min(threads, count // 4096))
    bounds = [count * strip // strips for strip in range(strips + 1)]
    if strips == 1 or threads == 1:
        return [function(strip, bounds[strip], bounds[strip + 1]) for strip in range(strips)]
    return list(_pool(threads).map(function, range(strips), bounds[:-1], bounds[1:]))
