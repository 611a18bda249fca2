import threading

import pytest
import torch

from segdemo.strips import in_strips


@pytest.mark.parametrize("count, strips", [(10, 3), (8, 8), (3, 8), (0, 2), (100_000, None)])
def test_strips_cover_the_range_once_in_order(count, strips):
    parts = in_strips(lambda strip, start, stop: (strip, start, stop), count, strips)
    assert [part[0] for part in parts] == list(range(len(parts)))
    assert parts[0][1] == 0 and parts[-1][2] == count
    assert all(before[2] == after[1] for before, after in zip(parts, parts[1:]))
    assert strips is None or len(parts) == strips


def test_little_work_stays_in_the_caller():
    assert in_strips(lambda *_: threading.current_thread(), 4095) == [threading.current_thread()]


@pytest.mark.skipif(torch.get_num_threads() < 2, reason="one core")
def test_strips_run_side_by_side():
    both = threading.Barrier(2, timeout=20)
    in_strips(lambda *_: both.wait(), 2, 2)


def test_a_mistake_in_a_strip_reaches_the_caller():
    def fail(strip, start, stop):
        if strip == 1:
            raise ValueError("strip 1")

    with pytest.raises(ValueError, match="strip 1"):
        in_strips(fail, 4, 4)


def test_callers_do_not_wait_for_each_other_forever():
    results = []
    callers = [
        threading.Thread(target=lambda n=n: results.append(sum(in_strips(lambda s, a, b: b - a, n, 4))))
        for n in range(100, 120)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=20)
    assert sorted(results) == list(range(100, 120))
