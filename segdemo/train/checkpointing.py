"""Checkpoints in pieces small enough to be sent anywhere, and never half written.

A checkpoint is ``checkpoint.json``, which lists its pieces with their checksums, and the pieces
themselves. New pieces are written beside the old ones; then the list is replaced in one step, and
only then the old pieces go. An interruption at any moment leaves the one or the other, whole.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import torch

PIECE = 15 * 2**20
"""Bytes per piece."""

LIST = "checkpoint.json"


def save_state(state: dict, folder: Path, piece: int = PIECE) -> None:
    """Write ``state`` (tensors and plain values, nested as you like) to ``folder`` in pieces of ``piece`` bytes at most."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    whole = buffer.getbuffer()
    pieces = []
    for start in range(0, len(whole), piece):
        part = whole[start : start + piece]
        digest = hashlib.sha256(part).hexdigest()
        name = f"checkpoint-{digest[:16]}.part"
        (folder / name).write_bytes(part)
        pieces.append({"file": name, "sha256": digest})
    (folder / f"{LIST}.tmp").write_text(json.dumps({"pieces": pieces}))
    (folder / f"{LIST}.tmp").replace(folder / LIST)
    current = {entry["file"] for entry in pieces}
    for old in folder.glob("checkpoint-*.part"):
        if old.name not in current:
            old.unlink()


def load_state(folder: Path, device: torch.device | str = "cpu") -> dict | None:
    """What ``save_state`` wrote to ``folder``, or None if there is nothing; ``ValueError`` if pieces are missing or damaged."""
    if not (folder / LIST).exists():
        return None
    whole = io.BytesIO()
    for entry in json.loads((folder / LIST).read_text())["pieces"]:
        path = folder / entry["file"]
        part = path.read_bytes() if path.exists() else b""
        if hashlib.sha256(part).hexdigest() != entry["sha256"]:
            raise ValueError(f"{path} is missing or damaged: bring the checkpoint's files again, or remove {folder}")
        whole.write(part)
    whole.seek(0)
    return torch.load(whole, map_location=device, weights_only=True)
