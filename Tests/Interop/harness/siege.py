"""A server under attack: others are served meanwhile, and its memory stays bounded."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .bystander import Bystander
from .server import Server

MIB = 1 << 20
# What a hostile connection may cost: its windows (16 MiB), the largest message (64 MiB) and
# what the allocator keeps. Each test states a smaller bound where less will do.
GROWTH_BYTES_MAX = 128 * MIB


def peak_bytes(server: Server) -> int:
    """The most memory that the process ever held: VmHWM."""
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


@contextmanager
def siege(server: Server, growth_max: int = GROWTH_BYTES_MAX) -> Iterator[Server]:
    """Watches `server` while the body attacks it.

    Afterwards it still runs, a bystander was served all the time, and at no moment did its
    resident memory exceed what it was before by more than `growth_max` bytes.
    """
    with Bystander(server.address):
        Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
        before = peak_bytes(server)
        yield server
        assert server.is_running, f"the server died: {server.log.read_text()[-2000:]}"
        growth = peak_bytes(server) - before
    assert growth <= growth_max, f"grew by {growth / MIB:.1f} MiB of {growth_max / MIB:.1f}"
