"""Keep trained weights in the user's cache folder; a cache that fails in any way is as good as none."""

import contextlib
import os
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn


def read(file_name: str, model: nn.Module) -> bool:
    """Fill a model with the weights kept under a name; return False, leaving it alone, if that cannot be done.

    Names, shapes and types must be the model's own and every value finite: a file of something else is not taken.
    """
    folder = _folder()
    if folder is None:
        return False
    try:
        # Opened here, because numpy leaves a file open that it finds to be no archive.
        with (folder / file_name).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            kept = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    except Exception:  # whatever a broken archive makes numpy, zipfile and zlib raise, the answer is to train again
        return False
    if not _fits(kept, model.state_dict()):
        return False
    model.load_state_dict(kept)
    return True


def write(file_name: str, model: nn.Module) -> None:
    """Keep a model's weights under a name, if the cache folder can be written."""
    folder = _folder()
    if folder is None:
        return
    arrays = {name: value.numpy() for name, value in model.state_dict().items()}
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        # Another process may read or write at the same time: it sees the old file or the new one, never a part.
        with tempfile.NamedTemporaryFile(dir=folder, suffix=".tmp", delete=False) as file:
            temporary = Path(file.name)
            try:
                np.savez(file, **arrays)
                file.close()
                temporary.replace(folder / file_name)
            finally:
                temporary.unlink(missing_ok=True)


def _folder() -> Path | None:
    """Return the user's cache folder for this package, or None if the user has no home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):  # the XDG specification has relative paths ignored
        return Path(base) / "eventnet"
    try:
        return Path.home() / ".cache" / "eventnet"
    except RuntimeError:
        return None


def _fits(kept: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return kept.keys() == expected.keys() and all(
        value.shape == expected[name].shape and value.dtype == expected[name].dtype and bool(value.isfinite().all())
        for name, value in kept.items()
    )
