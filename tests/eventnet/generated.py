"""Random networks for the generated tests: a list of steps, each a name and a seed, built onto whatever came before.

Small integers flow exactly: weights are -2 to 2 and every product is clamped, in float64, so that sums never round.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor, nn

EXACT_STEPS = (
    "convolution", "depthwise", "transposed", "sequence", "volume", "linear", "gate", "bilinear", "einsum", "vector", "relu",
    "max_pool", "residual", "twice", "concatenate", "pad", "edges", "adjacency", "embedding", "bag", "channels_last", "strided",
    "expand", "no_rows",
)  # fmt: skip
REAL_STEPS = (
    *EXACT_STEPS, "attention", "multi_head", "encoder", "recurrent", "normalise", "normalise_maps", "average_pool", "smooth",
    "softmax",
)  # fmt: skip
DTYPES = {"integers": (torch.float64, torch.float32), "real": (torch.float32, torch.float64, torch.bfloat16)}
NUMERICS = ("auto", "auto", "auto", "fixed16", "bfloat16", "float64")
PADDINGS = ("zeros", "zeros", "reflect", "replicate", "circular")


@dataclass
class Network:
    """What was drawn: the kind of values, the steps, and whether gradients are wanted."""

    kind: str
    dtype: torch.dtype
    steps: list[tuple[str, int]]
    density: float
    backward: bool
    seed: int
    numerics: str = "auto"
    modules: nn.ModuleList = field(default_factory=nn.ModuleList)
    functions: list[Callable[[Tensor], Tensor]] = field(default_factory=list)

    def build(self) -> Tensor:
        """Make the layers by running through them once; return the input."""
        self.modules, self.functions = nn.ModuleList(), []
        generator = torch.Generator().manual_seed(self.seed)
        shape = (1, int(torch.randint(1, 5, (), generator=generator)), 5, 4)
        sample = self._values(shape, generator, self.density)
        value = sample
        with torch.no_grad():
            for name, seed in self.steps:
                function = getattr(self, f"_{name}")(value, torch.Generator().manual_seed(seed))
                self.functions.append(function)
                value = function(value)
        return sample

    def __call__(self, value: Tensor) -> Tensor:
        for function in self.functions:
            value = function(value)
        return value

    def _values(self, shape: tuple[int, ...], generator: torch.Generator, density: float) -> Tensor:
        if self.kind == "integers":
            values = torch.randint(-3, 4, shape, generator=generator).to(self.dtype)
        else:
            values = torch.randn(shape, generator=generator).to(self.dtype)
        return values * (torch.rand(shape, generator=generator) < density)

    def _layer(self, layer: nn.Module, generator: torch.Generator) -> nn.Module:
        layer = layer.to(self.dtype)
        for parameter in layer.parameters():
            if self.kind == "integers":
                parameter.data.copy_(torch.randint(-2, 3, parameter.shape, generator=generator))
            else:
                parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.5)
        self.modules.append(layer)
        return layer

    def _bounded(self, value: Tensor) -> Tensor:
        return value.clamp(-3, 3)

    def _after(self, layer: nn.Module) -> Callable[[Tensor], Tensor]:
        return lambda value: self._bounded(layer(value))

    def _draw(self, generator: torch.Generator, *choices: int) -> int:
        return choices[int(torch.randint(len(choices), (), generator=generator))]

    def _maps(self, value: Tensor) -> Callable[[Tensor], Tensor]:
        """Bring tokens back into feature maps."""
        return (lambda one: one) if value.dim() == 4 else (lambda one: one.t().reshape(1, one.shape[1], one.shape[0], 1))

    def _tokens(self, value: Tensor) -> Callable[[Tensor], Tensor]:
        """Bring feature maps into tokens, one for each position."""
        return (lambda one: one) if value.dim() == 2 else (lambda one: one.flatten(2)[0].t())

    def _convolution(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        maps = self._maps(value)
        _, channels, height, width = maps(value).shape
        groups = channels if channels > 1 and self._draw(generator, 0, 0, 1) else 1
        kernel = tuple(min(self._draw(generator, 1, 2, 3), size) for size in (height, width))
        layer = nn.Conv2d(
            channels, groups * self._draw(generator, 1, 2, 3), kernel, stride=self._draw(generator, 1, 1, 2),
            padding=self._draw(generator, 0, 1), groups=groups, bias=bool(self._draw(generator, 0, 1)),
            dilation=1 if min(height, width) < 5 else self._draw(generator, 1, 1, 2),
            padding_mode=PADDINGS[self._draw(generator, 0, 1, 2, 3, 4)] if min(height, width) > 1 else "zeros",
        )  # fmt: skip
        after = self._after(self._layer(layer, generator))
        return lambda one: after(maps(one))

    def _sequence(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        """Convolve tokens in one dimension, or transposed, and back into tokens."""
        tokens = self._tokens(value)
        length, channels = tokens(value).shape
        if length > 40 or self._draw(generator, 0, 0, 1) == 0:
            layer: nn.Module = nn.Conv1d(
                channels, self._draw(generator, 1, 3), min(3, length), padding=self._draw(generator, 0, 1)
            )
        else:
            layer = nn.ConvTranspose1d(channels, self._draw(generator, 1, 3), 2, stride=2)
        after = self._after(self._layer(layer, generator))
        return lambda one: after(tokens(one).t()[None])[0].t()

    def _volume(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        """Convolve channels, height and width as a volume of one channel, and pool it."""
        maps = self._maps(value)
        kernel = tuple(min(2, size) for size in maps(value).shape[1:])
        after = self._after(self._layer(nn.Conv3d(1, 2, kernel), generator))
        return lambda one: F.max_pool3d(after(maps(one)[None]), (1, 1, 1)).flatten(1, 2)[:, :6]

    def _bilinear(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        tokens = self._tokens(value)
        width = tokens(value).shape[1]
        after = self._layer(nn.Bilinear(width, width, 3, bias=bool(self._draw(generator, 0, 1))), generator)
        return lambda one: self._bounded(after(tokens(one), self._bounded(2 * tokens(one))))

    def _einsum(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        tokens = self._tokens(value)
        equation = ("tc,td->cd", "tc,sc->ts", "tc,tc->tc")[self._draw(generator, 0, 1, 2)]
        return lambda one: self._bounded(torch.einsum(equation, tokens(one), tokens(one)))

    def _vector(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        tokens = self._tokens(value)
        return lambda one: (
            self._bounded(tokens(one) @ tokens(one)[0])[:, None] * self._bounded(tokens(one)[0] @ tokens(one)[-1])
        )

    def _pad(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        return lambda one: F.pad(one, (1, 0), value=1.0) if one.shape[-1] < 8 else one

    def _edges(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        """Send tokens along random edges and add, or (of real values, whose ties are rare) take the largest of, what arrives."""
        tokens = self._tokens(value)
        nodes, width = tokens(value).shape
        sources, targets = (torch.randint(0, nodes, (7,), generator=generator) for _ in range(2))
        index = targets[:, None].expand(7, width)
        arrive = (
            lambda into, sent: into.index_add(0, targets, sent),
            lambda into, sent: into.scatter_add(0, index, sent),
            lambda into, sent: into.index_put((targets,), sent, accumulate=True),
            lambda into, sent: into.scatter_reduce(0, index, sent, "amax"),
        )[self._draw(generator, 0, 1, 2, 3) if self.kind == "real" else self._draw(generator, 0, 1, 2)]
        return lambda one: self._bounded(arrive(torch.zeros_like(tokens(one)), tokens(one).index_select(0, sources)))

    def _adjacency(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        """Multiply by a sparse matrix, of which some rows are empty."""
        tokens = self._tokens(value)
        nodes = tokens(value).shape[0]
        dense = self._values((min(nodes, 9), nodes), generator, 0.3)
        if self.dtype == torch.bfloat16:
            return lambda one: self._bounded(dense @ tokens(one))  # PyTorch has no such sparse product
        matrix = (dense.to_sparse, dense.to_sparse_csr)[self._draw(generator, 0, 1)]()
        return lambda one: self._bounded(torch.sparse.mm(matrix, tokens(one)))

    def _embedding(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        """Look rows up that the values name."""
        table = self._layer(nn.Embedding(5, 3), generator)
        return lambda one: table(_indices(one))

    def _bag(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        table = self._layer(nn.EmbeddingBag(5, 3, mode="sum" if self.kind == "integers" else "mean"), generator)
        return lambda one: self._bounded(table(_indices(one), torch.tensor([0, 0, min(2, one.numel())])))

    def _no_rows(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        """Run a layer on no rows at all beside what goes on."""
        tokens = self._tokens(value)
        layer = self._layer(nn.Linear(tokens(value).shape[1], tokens(value).shape[1]), generator)
        return lambda one: torch.cat([tokens(one), layer(tokens(one)[:0])])

    def _depthwise(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        maps = self._maps(value)
        channels = maps(value).shape[1]
        layer = nn.Conv2d(channels, channels, 3, padding=2, dilation=2, groups=channels)
        after = self._after(self._layer(layer, generator))
        return lambda one: after(maps(one))

    def _transposed(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        maps = self._maps(value)
        channels = maps(value).shape[1]
        if maps(value).numel() > 100:
            return self._max_pool(value, generator)
        layer = nn.ConvTranspose2d(channels, self._draw(generator, 1, 2, 3), 2, stride=self._draw(generator, 1, 2))
        after = self._after(self._layer(layer, generator))
        return lambda one: after(maps(one))

    def _linear(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        tokens = self._tokens(value)
        layer = nn.Linear(tokens(value).shape[1], self._draw(generator, 1, 4, 7), bias=bool(self._draw(generator, 0, 1)))
        after = self._after(self._layer(layer, generator))
        return lambda one: after(tokens(one))

    def _gate(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        tokens = self._tokens(value)
        return lambda one: self._bounded(self._bounded(tokens(one) @ tokens(one).t()) @ tokens(one))

    def _relu(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        return torch.relu

    def _max_pool(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        maps = self._maps(value)
        size = min(2, *maps(value).shape[2:])
        return lambda one: F.max_pool2d(maps(one), size)

    def _average_pool(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        maps = self._maps(value)
        size = min(2, *maps(value).shape[2:])
        pools = nn.AvgPool2d(size), nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d(2), nn.LPPool2d(2, size)
        pool = pools[self._draw(generator, 0, 1, 2, 3)]
        return lambda one: pool(maps(one))

    def _residual(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        maps = self._maps(value)
        channels = maps(value).shape[1]
        layer = self._layer(nn.Conv2d(channels, channels, 3, padding=1), generator)
        return lambda one: self._bounded(maps(one) + layer(maps(one)))

    def _twice(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        tokens = self._tokens(value)
        layer = self._layer(nn.Linear(tokens(value).shape[1], tokens(value).shape[1]), generator)
        return lambda one: self._bounded(layer(self._bounded(layer(tokens(one)))))

    def _concatenate(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        return lambda one: one if one.shape[1] > 6 else torch.cat([one, -one], dim=1)

    def _channels_last(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        return lambda one: one.contiguous(memory_format=torch.channels_last) if one.dim() == 4 else one.t().contiguous().t()

    def _strided(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        return lambda one: one[..., ::2]

    def _expand(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        return lambda one: one[..., :1].expand(*one.shape[:-1], 3)

    def _attention(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        tokens = self._tokens(value)
        width = tokens(value).shape[1]
        project = self._layer(nn.Linear(width, 3 * 4), generator)

        def attend(one: Tensor) -> Tensor:
            query, key, mixed = project(tokens(one)).reshape(1, -1, 3, 2, 2).permute(2, 0, 3, 1, 4)
            return F.scaled_dot_product_attention(query, key, mixed).transpose(1, 2).flatten(2)[0]

        return attend

    def _recurrent(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        tokens = self._tokens(value)
        kind = (nn.RNN, nn.GRU, nn.LSTM)[self._draw(generator, 0, 1, 2)]
        layer = self._layer(kind(tokens(value).shape[1], 3), generator)
        return lambda one: layer(tokens(one)[:4, None])[0][:, 0]

    def _multi_head(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        tokens = self._tokens(value)
        project = self._layer(nn.Linear(tokens(value).shape[1], 4), generator)
        layer = self._layer(nn.MultiheadAttention(4, 2), generator)

        def attend(one: Tensor) -> Tensor:
            query = project(tokens(one))
            return layer(query, query, query, need_weights=False)[0]

        return attend

    def _encoder(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        tokens = self._tokens(value)
        project = self._layer(nn.Linear(tokens(value).shape[1], 4), generator)
        layer = self._layer(nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True), generator)
        layer.train(bool(self._draw(generator, 0, 1)))
        return lambda one: layer(project(tokens(one))[None])[0]

    def _normalise_maps(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        maps = self._maps(value)
        channels, *space = maps(value).shape[1:]
        kinds = [nn.GroupNorm(1, channels), nn.BatchNorm2d(channels).eval(), nn.RMSNorm(space[-1])]
        kinds += [] if self.dtype == torch.bfloat16 else [nn.LocalResponseNorm(3)]  # for which PyTorch lacks a pooling
        kinds += [nn.BatchNorm2d(channels), nn.InstanceNorm2d(channels)] if space[0] * space[1] > 1 else []
        layer = self._layer(kinds[int(torch.randint(len(kinds), (), generator=generator))], generator)
        return lambda one: layer(maps(one))

    def _normalise(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        return lambda one: F.layer_norm(one, one.shape[-1:])

    def _smooth(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        return (torch.tanh, F.gelu, F.silu, F.softplus, F.hardswish)[self._draw(generator, 0, 1, 2, 3, 4)]

    def _softmax(self, value: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
        return lambda one: torch.softmax(one, dim=1)


def _indices(value: Tensor) -> Tensor:
    """Make up to six indices into a table of five rows of values."""
    return value.detach().double().abs().mul(2).long().flatten()[:6] % 5


@st.composite
def networks(draw: st.DrawFn, kind: str) -> Network:
    """Draw a network of 1 to 12 steps; half of them have six or more, and a quarter is asked for gradients."""
    names = st.sampled_from(EXACT_STEPS if kind == "integers" else REAL_STEPS)
    least = draw(st.sampled_from([1, 6, 6]))
    backward = draw(st.sampled_from([False, True]))
    dtype = draw(st.sampled_from(DTYPES[kind]))
    return Network(
        kind=kind,
        dtype=torch.float64 if backward and kind == "integers" else dtype,  # gradients of integers grow beyond float32
        numerics="auto" if kind == "integers" else draw(st.sampled_from(NUMERICS)),
        steps=draw(st.lists(st.tuples(names, st.integers(0, 999)), min_size=least, max_size=12)),
        density=draw(st.sampled_from([0.5, 0.0, 0.1, 0.8, 1.0])),
        backward=backward,
        seed=draw(st.integers(0, 999)),
    )
