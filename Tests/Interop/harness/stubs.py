"""Stock Python stubs, generated from proto/ each time the tests run."""

import importlib.resources
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

from .paths import PROTO

_folder: tempfile.TemporaryDirectory[str] | None = None


def install() -> Path:
    """Generates the stubs once and makes them importable. Returns their folder.

    Only our own packages are generated: google.rpc, health and reflection come from the
    foreign libraries, so that both sides do not share a mistake.
    """
    global _folder
    if _folder is None:
        _folder = tempfile.TemporaryDirectory(prefix="fovea-stubs-")
        _generate(Path(_folder.name))
        sys.path.insert(0, _folder.name)
    return Path(_folder.name)


def _generate(folder: Path) -> None:
    well_known = importlib.resources.files("grpc_tools") / "_proto"
    files = sorted(str(path.relative_to(PROTO)) for path in PROTO.glob("fovea/**/*.proto"))
    arguments = ["protoc", f"-I{PROTO}", f"-I{well_known}"]
    arguments += [f"--python_out={folder}", f"--grpc_python_out={folder}", *files]
    if protoc.main(arguments) != 0:
        raise RuntimeError(f"protoc failed for {', '.join(files)}")
