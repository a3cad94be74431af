"""Where the repository and its binaries are."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROTO = ROOT / "proto"
INTEROP = ROOT / "Tests" / "Interop"


def binary(name: str) -> Path | None:
    """The built executable: in FOVEA_BIN, else in the debug, then the release build."""
    chosen = os.environ.get("FOVEA_BIN")
    folders = [Path(chosen)] if chosen else [ROOT / ".build/debug", ROOT / ".build/release"]
    for folder in folders:
        path = (folder / name).resolve()
        if path.is_file() and os.access(path, os.X_OK):
            return path
    return None
