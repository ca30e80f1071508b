"""Where the windows of convolutions and pooling lie on their input."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from eventnet.onnx.step import Step


@dataclass(frozen=True)
class Window:
    """A window's geometry, one number for each spatial dimension.

    Attributes
    ----------
    before, after
        How much padding the node asks for.
    outputs
        How many windows there are.
    beyond
        How far the last window reaches beyond the padded input, in ceil mode.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    outputs: tuple[int, ...]
    beyond: tuple[int, ...]

    @classmethod
    def of(cls, step: Step, kernel: tuple[int, ...], sizes: tuple[int, ...]) -> "Window":
        """Read a node's attributes, for an input of the given spatial sizes."""
        ones = (1,) * len(kernel)
        strides, dilations = tuple(step.get("strides", ones)), tuple(step.get("dilations", ones))
        reach = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
        before, after = _pads(step, sizes, reach, strides)
        outputs, beyond = [], []
        for size, one, low, high, stride in zip(sizes, reach, before, after, strides, strict=True):
            room = size + low + high - one
            count = (-(-room // stride) if step.get("ceil_mode", 0) else room // stride) + 1
            if (count - 1) * stride >= size + low:  # the last window would begin in the padding
                count -= 1
            outputs.append(count)
            beyond.append(max(0, (count - 1) * stride - room))
        return cls(kernel, strides, dilations, before, after, tuple(outputs), tuple(beyond))


def _pads(
    step: Step, sizes: Sequence[int], reach: Sequence[int], strides: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    auto, dimensions = step.get("auto_pad", "NOTSET"), len(sizes)
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        pads = step.get("pads", (0,) * 2 * dimensions) if auto == "NOTSET" else (0,) * 2 * dimensions
        return tuple(pads[:dimensions]), tuple(pads[dimensions:])
    totals = [
        max(0, (-(-size // stride) - 1) * stride + one - size) for size, one, stride in zip(sizes, reach, strides, strict=True)
    ]
    small, large = tuple(total // 2 for total in totals), tuple(total - total // 2 for total in totals)
    return (small, large) if auto == "SAME_UPPER" else (large, small)


def symmetric(before: Sequence[int], after: Sequence[int]) -> tuple[int, ...] | None:
    """Return the padding that is the same at both ends, or None if the ends differ."""
    return tuple(before) if tuple(before) == tuple(after) else None


def padded(x: torch.Tensor, before: Sequence[int], after: Sequence[int], value: float) -> torch.Tensor:
    """Pad the last dimensions with a value; negative padding crops."""
    pads = [one for low, high in zip(reversed(before), reversed(after), strict=True) for one in (low, high)]
    return F.pad(x, pads, value=value) if any(pads) else x


def unfolded(x: torch.Tensor, window: Window, value: float) -> torch.Tensor:
    """Return a view of all windows of a padded input.

    Shapes: (N, C, sizes) in, (N, C, windows, kernel) out.
    """
    after = [one + more for one, more in zip(window.after, window.beyond, strict=True)]
    x = padded(x, window.before, after, value)
    for place, (size, stride, dilation, count) in enumerate(
        zip(window.kernel, window.strides, window.dilations, window.outputs, strict=True)
    ):
        x = x.unfold(2 + place, (size - 1) * dilation + 1, stride)[..., ::dilation].narrow(2 + place, 0, count)
    return x
