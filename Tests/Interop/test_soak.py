"""Memory stays flat: the small form of soak.py."""

import asyncio
import os
from collections.abc import Callable

import pytest

import soak
from harness.server import Server


@pytest.mark.skipif(
    bool({"ASAN_OPTIONS", "TSAN_OPTIONS"} & set(os.environ)),
    reason="sanitizers keep freed memory")
def test_five_thousand_calls_leave_memory_flat(start: Callable[..., Server]) -> None:
    samples = asyncio.run(soak.soak(start(), calls=5000, per_connection=250))
    assert soak.rise(samples) <= soak.RISE_BYTES_MAX, [size >> 10 for size in samples]
