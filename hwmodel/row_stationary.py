"""The row-stationary dataflow: how the rows of a convolution are laid on an array of processing elements, pass by pass.

Source: Y.-H. Chen, J. Emer and V. Sze, "Eyeriss: A Spatial Architecture for Energy-Efficient Dataflow for Convolutional
Neural Networks", ISCA 2016, and Y.-H. Chen et al., "Eyeriss: An Energy-Efficient Reconfigurable Accelerator for Deep
Convolutional Neural Networks", JSSC 2017, whose letters are used here: a filter has R rows of S weights, an output map E rows
of F sums, there are C channels, M filters and N images.

A *set* of R by e elements makes e rows of one output map: element (i, j) slides row i of a filter along the row of the input
that output row j needs, and sums go up the column. A set wider than the array is folded into segments under each other.
In a *pass* each element interleaves p filters and q channels, and r times t sets share the array: sets of r other channels
stand on each other, so that sums run on from one to the next, and t sets have filters of their own. The global buffer (GLB)
keeps the input of a pass and the sums of m filters for n images, until the passes over all channels are done.

The paper does not publish its mapper. `map_layer` chooses by rules that give back all five published mappings of AlexNet,
and of VGG-16 the active elements and channels per pass that its published counts imply.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hwmodel.frozen import frozen
from hwmodel.layout import PADDING
from hwmodel.lazy import lazy
from hwmodel.task import Task

WORD_BYTES = 2
NEARLY_ALL = 0.92  # of the elements that any mapping keeps busy: 154 of 168 in the published mapping of AlexNet's first layer
MORE_CHUNKS = 8  # numbers of chunks of filters that are tried for one that comes out even


@dataclass(frozen=True)
class Layer:
    """A task as rows: kernel positions in depth are more channels, frames and output positions in depth more images.

    ``filters`` and ``channels`` are those of a group. Strides and dilations are the distances of input positions that
    neighbouring windows, and neighbouring kernel positions, read.
    """

    groups: int
    images: int  # N
    filters: int  # M
    channels: int  # C
    filter_rows: int  # R
    filter_columns: int  # S
    rows: int  # E
    columns: int  # F
    row_stride: int = 1
    column_stride: int = 1
    row_dilation: int = 1
    column_dilation: int = 1

    @staticmethod
    def of(task: Task) -> "Layer":
        """See a task as rows; what a task has none of counts as one."""
        frames, depth, rows, columns = task.window_shape
        kernel_frames, kernel_depth, filter_rows, filter_columns = task.kernel_shape
        return Layer(
            groups=max(1, task.groups),
            images=max(1, frames * depth),
            filters=max(1, task.filters),
            channels=max(1, kernel_frames * kernel_depth * task.group_channels),
            filter_rows=max(1, filter_rows),
            filter_columns=max(1, filter_columns),
            rows=max(1, rows),
            columns=max(1, columns),
            row_stride=_distance(task.taps[2]),
            column_stride=_distance(task.taps[3]),
            row_dilation=_distance(task.taps[2].T),
            column_dilation=_distance(task.taps[3].T),
        )

    def rows_read(self, rows: int) -> int:
        """Count the input rows, padding included, that so many neighbouring output rows read."""
        return _read(rows, self.row_stride, self.filter_rows, self.row_dilation)

    def columns_read(self, columns: int) -> int:
        """Count the input columns, padding included, that so many neighbouring output columns read."""
        return _read(columns, self.column_stride, self.filter_columns, self.column_dilation)


@dataclass(frozen=True)
class Array:
    """What a mapping has to fit: the array, the words of an element's scratchpads, and the GLB for inputs and sums."""

    rows: int
    columns: int
    filter_words: int
    ifmap_words: int
    psum_words: int
    glb_bytes: int
    batch: int

    def takes(self, layer: Layer) -> bool:
        """Tell whether a set fits into the array, and a row of a filter into an element."""
        return layer.filter_rows <= self.rows and layer.filter_columns <= min(self.ifmap_words, self.filter_words)


@dataclass(frozen=True)
class Slab:
    """What one sequence of passes makes, over all channels and filters: some rows and columns of some images of a group."""

    group: int
    images: range
    rows: range
    columns: range


@dataclass(frozen=True)
class Mapping:
    """How a layer runs, in the letters of the paper; f columns make a piece, all of them unless the GLB is too small."""

    layer: Layer
    e: int
    f: int
    n: int
    m: int
    p: int
    q: int
    r: int
    t: int

    @property
    def channel_passes(self) -> int:
        """Count the passes that a sum takes part in: ceil(C / (q r))."""
        return -(-self.layer.channels // (self.q * self.r))

    @property
    def filter_passes(self) -> int:
        """Count how often the input of a pass is read from the GLB: ceil(M / (p t))."""
        return -(-self.layer.filters // (self.p * self.t))

    @property
    def filter_chunks(self) -> int:
        """Count how often the input comes from off the chip: ceil(M / m)."""
        return -(-self.layer.filters // self.m)

    @property
    def active(self) -> int:
        """Count the elements that work in a pass."""
        return self.layer.filter_rows * self.e * self.r * self.t

    @property
    def ticks_per_output(self) -> int:
        """Give the ticks that an element works for one output position, all passes over it together."""
        return self.filter_passes * self.p * self.channel_passes * self.q * self.layer.filter_columns

    @lazy
    def slab_count(self) -> int:
        """Count the slabs of a group, each of which reads all filters from off the chip."""
        layer = self.layer
        return -(-layer.images // self.n) * -(-layer.rows // self.e) * -(-layer.columns // self.f)

    def slabs(self) -> Iterator[Slab]:
        """Yield the slabs in the order in which they run."""
        layer = self.layer
        for group in range(layer.groups):
            for images in _cut(layer.images, self.n):
                for rows in _cut(layer.rows, self.e):
                    for columns in _cut(layer.columns, self.f):
                        yield Slab(group, images, rows, columns)

    def plane_words(self, slab: Slab) -> int:
        """Count the words of all input planes that a slab reads, padding included, each once."""
        layer = self.layer
        plane = layer.rows_read(len(slab.rows)) * layer.columns_read(len(slab.columns))
        return len(slab.images) * layer.channels * plane

    @lazy
    def rereading(self) -> float:
        """Give how often the input comes from off the chip: for each chunk of filters, rows that strips share again."""
        layer = self.layer
        strips = sum(layer.rows_read(len(rows)) for rows in _cut(layer.rows, self.e))
        pieces = sum(layer.columns_read(len(columns)) for columns in _cut(layer.columns, self.f))
        whole = layer.rows_read(layer.rows) * layer.columns_read(layer.columns)
        return self.filter_chunks * strips * pieces / whole

    def elements(self, array: Array) -> NDArray[np.int64]:
        """Give the element that does each part of a column of outputs: (e, t, R, r) numbers, row by row of the array.

        A set that is folded has its segments under each other; sets of other channels stand on each other, and sets of other
        filters side by side first.
        """
        height = self.layer.filter_rows
        row, filter_set, filter_row, channel_set = np.indices((self.e, self.t, height, self.r))
        segments = -(-self.e // array.columns)
        beside = max(1, array.columns // self.e)
        level = (filter_set // beside) * self.r * segments + channel_set * segments + row // array.columns
        column = filter_set % beside * self.e + row % array.columns
        return np.asarray((level * height + filter_row) * array.columns + column, dtype=np.int64)


@lru_cache(maxsize=1024)
def map_layer(layer: Layer, array: Array) -> Mapping:
    """Choose the mapping of a layer that fits the array.

    Of all that fit (``p q S``, ``q S`` and ``p`` words in the scratchpads, inputs and sums of a pass in the GLB):

    1. an output map is cut into strips of e rows only if its set is larger than the array, or the GLB cannot hold the sums of
       all filters that the sets take at once; and a row of it into pieces only if the GLB is too small for one filter for each
       column of the array;
    2. no more sets stand on each other than have filters of their own: r is at most t, and 1 if a set is folded;
    3. nearly as many elements work (`NEARLY_ALL`) as in any mapping, counting idle slots of the last pass as not working;
    4. channels and filters are divided without remainder, if that can be;
    5. then the least traffic off the chip, the least traffic of the GLB, the fewest ticks; then the most filters, the fewest
       channel sets, and the largest strips.

    Nothing in it depends on where zeros are. Cost: a look at each mapping that fits, many at once; kept.
    """
    f = _piece(layer, array)
    found: tuple[tuple[float, ...], Mapping] | None = None
    candidates = [
        one for e in _strips(layer, array, f) for n in range(1, min(array.batch, layer.images) + 1)
        if (one := _Candidates.of(layer, array, e, f, n)) is not None
    ]  # fmt: skip
    most = max(float(one.working.max()) for one in candidates)
    for one in candidates:
        key, mapping = one.best(NEARLY_ALL * most) or (None, None)
        if key is not None and mapping is not None and (found is None or key < found[0]):
            found = key, mapping
    assert found is not None
    return found[1]


@frozen
class _Candidates:
    """All ways to fill the array with sets of e rows for n images, as arrays over them."""

    layer: Layer
    e: int
    f: int
    n: int
    p: NDArray[np.int64]
    q: NDArray[np.int64]
    r: NDArray[np.int64]
    t: NDArray[np.int64]
    m: NDArray[np.int64]
    uneven: NDArray[np.bool_]
    working: NDArray[np.float64]

    @staticmethod
    def of(layer: Layer, array: Array, e: int, f: int, n: int) -> "_Candidates | None":
        """List those that fit; None if there are none."""
        segments = -(-e // array.columns)
        levels, beside = array.rows // (layer.filter_rows * segments), max(1, array.columns // e)
        most_q = min(array.ifmap_words // layer.filter_columns, layer.channels)
        most_p = min(array.psum_words, layer.filters)
        most_r = min(levels if segments == 1 else 1, layer.channels)
        most_t = min(levels * beside, layer.filters)
        p, q, r, t = (1 + one.reshape(-1) for one in np.indices((most_p, most_q, most_r, most_t)))
        plane = WORD_BYTES * n * layer.rows_read(e) * layer.columns_read(f)
        sums = WORD_BYTES * n * e * f
        passes = -(-layer.filters // (p * t))
        held = np.maximum(0, array.glb_bytes - q * r * plane) // (sums * p * t)  # passes whose sums the GLB holds
        fits = (p * q * layer.filter_columns <= array.filter_words) & (held >= 1) & (r <= t)
        fits &= (t <= levels // r * beside) & (q * r <= layer.channels)
        if not fits.any():
            return None
        p, q, r, t, passes, held = (one[fits] for one in (p, q, r, t, passes, held))
        chunks = _even_chunks(passes, held)
        uneven = (layer.channels % (q * r) != 0) | (layer.filters % (p * t) != 0) | (passes % chunks != 0)
        m = np.minimum(layer.filters, -(-passes // chunks) * p * t)
        slots = passes * p * t * (-(-layer.channels // (q * r)) * q * r)
        working = layer.filter_rows * e * r * t * (layer.filters * layer.channels / slots)
        return _Candidates(layer, e, f, n, p, q, r, t, m, uneven, working)

    def best(self, least_working: float) -> tuple[tuple[float, ...], Mapping] | None:
        """Return the best of those that keep so many elements working, with what it was chosen by; None if none does."""
        kept = np.flatnonzero(self.working >= least_working)
        if not kept.size:
            return None
        layer = self.layer
        p, q, r, t, m = (one[kept] for one in (self.p, self.q, self.r, self.t, self.m))
        some = Mapping(layer, self.e, self.f, self.n, 1, 1, 1, 1, 1)
        outputs = float(layer.images * layer.rows * layer.columns)
        planes = some.rereading / layer.filters * layer.images * layer.channels
        planes *= layer.rows_read(layer.rows) * layer.columns_read(layer.columns)
        weights = float(layer.filters * layer.channels * layer.filter_rows * layer.filter_columns) * some.slab_count
        channel_passes, filter_passes = -(-layer.channels // (q * r)), -(-layer.filters // (p * t))
        offchip = planes * -(-layer.filters // m) + weights
        glb = outputs * layer.filters * (2 * channel_passes - 1) + planes * filter_passes + weights
        ticks = some.slab_count * filter_passes * p * channel_passes * q
        keys = (self.uneven[kept].astype(float), offchip, glb, ticks, -p * t, r, np.full(kept.size, -self.e))
        first = np.lexsort(keys[::-1])[0]
        chosen = Mapping(layer, self.e, self.f, self.n, *(int(one[first]) for one in (m, p, q, r, t)))
        return tuple(float(key[first]) for key in keys), chosen


def _strips(layer: Layer, array: Array, f: int) -> list[int]:
    """List the strips that may be taken: the whole map alone if it need not be cut."""
    largest = min(layer.rows, array.rows // layer.filter_rows * array.columns)
    if largest == layer.rows:
        segments = -(-layer.rows // array.columns)
        sets = array.rows // (layer.filter_rows * segments) * max(1, array.columns // layer.rows)
        filters = min(layer.filters, sets * array.psum_words)
        plane = layer.rows_read(layer.rows) * layer.columns_read(f)
        if WORD_BYTES * (plane + filters * layer.rows * f) <= array.glb_bytes:
            return [layer.rows]
    return list(range(1, largest + 1))


def _piece(layer: Layer, array: Array) -> int:
    """Cut a row of the output into as few pieces as the GLB needs for it with one filter for each column of the array."""
    filters, pieces = min(layer.filters, array.columns), 1
    while pieces < layer.columns:
        f = -(-layer.columns // pieces)
        if WORD_BYTES * (layer.filter_rows * layer.columns_read(f) + filters * f) <= array.glb_bytes:
            return f
        pieces += 1
    return 1


def _even_chunks(passes: NDArray[np.int64], held: NDArray[np.int64]) -> NDArray[np.int64]:
    """Divide passes into the fewest chunks of at most so many, or into a few more if that comes out even."""
    fewest = -(-passes // held)
    chunks = fewest.copy()
    for more in reversed(range(MORE_CHUNKS)):
        tried = np.minimum(fewest + more, passes)
        chunks = np.where(passes % tried == 0, tried, chunks)
    return chunks


def _cut(size: int, step: int) -> list[range]:
    return [range(first, min(first + step, size)) for first in range(0, size, step)]


def _distance(table: NDArray[np.int64]) -> int:
    """Give how far apart neighbouring rows of a table of taps read, as far as any two of them can tell; else 1."""
    inside = (table[1:] != PADDING) & (table[:-1] != PADDING)
    return int((table[1:] - table[:-1])[inside].max(initial=1)) if inside.any() else 1


@lru_cache(maxsize=4096)
def _read(outputs: int, stride: int, taps: int, dilation: int) -> int:
    if outputs == 1 or taps == 1:
        return outputs * taps
    if dilation == 1:
        return outputs * taps if stride >= taps else (outputs - 1) * stride + taps
    return int(np.unique(np.add.outer(np.arange(outputs) * stride, np.arange(taps) * dilation)).size)
