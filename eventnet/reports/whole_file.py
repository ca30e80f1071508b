"""Write a file whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from hwmodel.errors import DataError


def write_whole(path: str | Path, text: str) -> None:
    """Write text to a file; see `whole_file`."""
    with whole_file(path) as file:
        file.write(text)


@contextmanager
def whole_file(path: str | Path) -> Iterator[TextIO]:
    """Give a file beside the target to write into, and put it in the target's place in one step when all is written.

    Raises
    ------
    DataError
        If the folder is not there, is not writable or is full; the target is then as it was.
    """
    target = Path(os.path.realpath(path))  # what a link points to, so that the link stays one
    temporary: Path | None = None
    try:
        if target.exists() and not target.is_file():  # a pipe or a device, which has no halves
            with target.open("w", encoding="utf-8") as file:
                yield file
            return
        temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(8)}")  # named first: then an interrupt finds it
        with temporary.open("x", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
        temporary = None
    except OSError as error:
        raise DataError(
            f"writing {str(target)!r}: {error.strerror or error}, expected a file that can be written. "
            "Choose another path; nothing was changed."
        ) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_writable(path: str | Path) -> None:
    """Raise DataError now if a file could not be written later: before the work, not after it."""
    folder = Path(path).parent
    if not folder.is_dir() or Path(path).is_dir() or not os.access(folder, os.W_OK):
        raise DataError(
            f"writing {str(path)!r}: {str(folder)!r} is no folder that can be written or the path is a folder itself, "
            "expected a file that can be written. Choose another path."
        )
