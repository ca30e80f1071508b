"""RNN, LSTM and GRU, gate by gate, so that every product in them is a product of PyTorch's own.

Shapes, in layout 0: X (T, B, I); W (D, G*H, I); R (D, G*H, H); B (D, 2*G*H); Y (T, D, B, H); Y_h and Y_c (D, B, H), for D
directions and G gates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

from eventnet.onnx.step import Function, Step

Tensor = torch.Tensor
Activation = Callable[[Tensor], Tensor]
Advance = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]
ALPHA = {"leakyrelu": 0.01, "thresholdedrelu": 1.0, "scaledtanh": 1.0, "hardsigmoid": 0.2, "elu": 1.0, "affine": 1.0}
BETA = {"scaledtanh": 1.0, "hardsigmoid": 0.5, "affine": 0.0}


def _activation(name: str, alpha: float, beta: float) -> Activation | None:
    known: dict[str, Activation] = {
        "relu": torch.relu,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "affine": lambda x: alpha * x + beta,
        "leakyrelu": lambda x: F.leaky_relu(x, alpha),
        "thresholdedrelu": lambda x: F.threshold(x, alpha, 0.0),
        "scaledtanh": lambda x: alpha * torch.tanh(beta * x),
        "hardsigmoid": lambda x: torch.clamp(alpha * x + beta, 0, 1),
        "elu": lambda x: F.elu(x, alpha),
        "softsign": F.softsign,
        "softplus": F.softplus,
    }
    return known.get(name)


def _activations(step: Step, standard: Sequence[str], directions: int) -> list[list[Activation]]:
    """Return the activation functions of each direction; they clip their arguments if the node says so."""
    names = [name.lower() for name in step.get("activations", tuple(standard) * directions)]
    alphas, betas = list(step.get("activation_alpha", ())), list(step.get("activation_beta", ()))
    made = []
    for name in names:
        alpha = alphas.pop(0) if name in ALPHA and alphas else ALPHA.get(name, 0.0)
        beta = betas.pop(0) if name in BETA and betas else BETA.get(name, 0.0)
        function = _activation(name, alpha, beta)
        if function is None:
            raise step.unsupported(f"there is no activation {name!r}", "one of the standard's")
        made.append(_clipped(function, step.get("clip")))
    count = len(standard)
    return [made[one * count : (one + 1) * count] for one in range(directions)]


def _clipped(function: Activation, limit: float | None) -> Activation:
    return function if limit is None else lambda x: function(x.clamp(-limit, limit))


@dataclass(frozen=True)
class Weights:
    """The weights of one direction, of as many gates as the cell has."""

    w: Tensor
    r: Tensor
    wb: Tensor | None
    rb: Tensor | None
    peepholes: tuple[Tensor, ...] | None


def _layer(standard: Sequence[str], cell: Callable[..., Advance]) -> Function:
    """Make the function of a layer; it takes the inputs of an LSTM, which has the most."""
    count = 2 if cell is _lstm else 1

    def run(
        step: Step,
        x: Tensor,
        w: Tensor,
        r: Tensor,
        b: Tensor | None = None,
        lengths: Tensor | None = None,
        h: Tensor | None = None,
        c: Tensor | None = None,
        p: Tensor | None = None,
    ) -> Any:
        batch_first = bool(step.get("layout", 0))
        x = x.transpose(0, 1) if batch_first else x
        directions, hidden = w.shape[0], r.shape[2]
        functions = _activations(step, standard, directions)
        ys, lasts = [], []
        for one in range(directions):
            weights = _weights(w, r, b, p, one, hidden)
            first = tuple(_first(state, x, one, hidden, batch_first) for state in (h, c)[:count])
            reverse = step.get("direction", "forward") == "reverse" or one == 1
            advance = cell(step, weights, functions[one], hidden)
            y, last = _through(F.linear(x, weights.w, weights.wb), first, advance, lengths, reverse)
            ys.append(y)
            lasts.append(last)
        final = [torch.stack([last[state] for last in lasts], 1 if batch_first else 0) for state in range(count)]
        y = torch.stack(ys, 1)
        return (y.permute(2, 0, 1, 3) if batch_first else y, *final)

    return run


def _weights(w: Tensor, r: Tensor, b: Tensor | None, p: Tensor | None, one: int, hidden: int) -> Weights:
    wb, rb = (None, None) if b is None else b[one].chunk(2)
    return Weights(w[one], r[one], wb, rb, None if p is None else p[one].split(hidden))


def _first(state: Tensor | None, x: Tensor, one: int, hidden: int, batch_first: bool) -> Tensor:
    if state is None:
        return torch.zeros((x.shape[1], hidden), dtype=x.dtype)
    return state[:, one] if batch_first else state[one]


def _through(
    projected: Tensor, states: tuple[Tensor, ...], advance: Advance, lengths: Tensor | None, reverse: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Step through time; return the outputs and the last states. Beyond its length a sequence keeps its state and gives 0."""
    steps = projected.shape[0]
    ys: list[Tensor] = []
    for t in reversed(range(steps)) if reverse else range(steps):
        new = advance(projected[t], states)
        y = new[0]
        if lengths is not None:
            runs = (lengths > t).unsqueeze(1)
            new = tuple(torch.where(runs, one, old) for one, old in zip(new, states, strict=True))
            y = torch.where(runs, y, torch.zeros_like(y))
        states = new
        ys.append(y)
    return torch.stack(ys[::-1] if reverse else ys), states


def _rnn(step: Step, weights: Weights, functions: list[Activation], hidden: int) -> Advance:
    (f,) = functions

    def advance(x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (f(x + F.linear(states[0], weights.r, weights.rb)),)

    return advance


def _lstm(step: Step, weights: Weights, functions: list[Activation], hidden: int) -> Advance:
    f, g, h = functions
    peepholes = weights.peepholes

    def advance(x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        i, o, forget, c = (x + F.linear(states[0], weights.r, weights.rb)).split(hidden, 1)
        before = states[1]
        if peepholes is not None:
            i, forget = i + peepholes[0] * before, forget + peepholes[2] * before
        i = f(i)
        kept = 1 - i if step.get("input_forget", 0) else f(forget)
        cell = kept * before + i * g(c)
        if peepholes is not None:
            o = o + peepholes[1] * cell
        return f(o) * h(cell), cell

    return advance


def _gru(step: Step, weights: Weights, functions: list[Activation], hidden: int) -> Advance:
    f, g = functions
    reset_after = bool(step.get("linear_before_reset", 0))
    r_zr, r_h = weights.r.split([2 * hidden, hidden])
    b_zr, b_h = (None, None) if weights.rb is None else weights.rb.split([2 * hidden, hidden])

    def advance(x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        before = states[0]
        x_zr, x_h = x.split([2 * hidden, hidden], 1)
        z, r = f(x_zr + F.linear(before, r_zr, b_zr)).split(hidden, 1)
        new = g(x_h + (r * F.linear(before, r_h, b_h) if reset_after else F.linear(r * before, r_h, b_h)))
        return ((1 - z) * new + z * before,)

    return advance


OPERATORS: dict[str, Function] = {
    "GRU": _layer(("Sigmoid", "Tanh"), _gru),
    "LSTM": _layer(("Sigmoid", "Tanh", "Tanh"), _lstm),
    "RNN": _layer(("Tanh",), _rnn),
}
