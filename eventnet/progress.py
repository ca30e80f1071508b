"""Progress bars for whatever takes over a second, on standard error."""

from typing import Any

from tqdm import tqdm


class Bar(tqdm):  # type: ignore[misc]  # tqdm ships no types
    """A bar that shows up after a second, leaves nothing behind and starts no thread of its own."""

    monitor_interval = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"delay": 1, "leave": False, "mininterval": 0.5, **kwargs})
