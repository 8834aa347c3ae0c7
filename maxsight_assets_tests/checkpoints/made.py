"""Checkpoints as PyTorch writes them, without PyTorch: a zip of stored members below one folder."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from maxsight_assets.transport.client import Client
from maxsight_assets_tests.transport.net_tools import quick_client


def checkpoint(weights: bytes = b"weights") -> bytes:
    """A checkpoint's bytes; its pickle would fail a test if anything unpickled it."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_STORED) as archive:
        for name, content in {"data.pkl": b"\x80\x02cposix\nabort\n)R.", "version": b"3\n", "data/0": weights}.items():
            archive.writestr(zipfile.ZipInfo(f"archive/{name}"), content)
    return data.getvalue()


def files_of(condition: str, *, above: str = "", weights: bytes = b"weights") -> dict[str, bytes]:
    """All files of a condition by their paths at a source, below a folder."""
    folder = f"{above}checkpoints_{condition}/"
    return {
        f"{folder}best_model.pt": checkpoint(weights + condition.encode()),
        f"{folder}last_checkpoint.pt": checkpoint(b"last" + condition.encode()),
        f"{folder}training_history.json": json.dumps([{"epoch": 1}]).encode(),
        f"{folder}training_history.csv": b"epoch,loss\n1,0.5\n",
        f"{folder}resume_info.json": b'{"epoch": 1}',
        f"{folder}checkpoint_epoch_1.pt": b"not synced",
    }


def lay(root: Path, files: Mapping[str, bytes]) -> None:
    """Write the files of a source below a directory."""
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)


def client() -> Client:
    """A client for files of this machine."""
    return quick_client()
