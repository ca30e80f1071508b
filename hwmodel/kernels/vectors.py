"""The two innermost loops, written in vectors because numba's own loops do not get there.

numba leaves accumulators in memory when there are several vectors of them, which costs a load and a store for each
multiplication, and compresses one number at a time. So these two are written in LLVM's language, in vectors of 512 bits; on
a processor with shorter ones LLVM splits them. Everything around them is plain numba.
"""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

VECTOR_BYTES = 64
COMPRESSED_LANES = 16  # numbers that `compress_lanes` takes at once

_INDEX, _INT32, _INT16, _INT8 = (ir.IntType(bits) for bits in (64, 32, 16, 8))
_FLOAT_BITS = {ir.FloatType(): 32, ir.DoubleType(): 64}


def _intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of types, which returns a signature and a generator of instructions, one that compiled code may call."""
    return cast("Callable[..., Any]", intrinsic(prefer_literal=True)(function))


@_intrinsic
def add_run(
    typing: Any,
    sums: Any,
    target: Any,
    values: Any,
    operands: Any,
    begin: Any,
    end: Any,
    weights: Any,
    origin: Any,
    vectors: Any,
) -> Any:
    """Add ``values[i] * weights[origin + operands[i] * width:][:width]`` to ``sums[target:][:width]``, i from begin to end.

    Parameters
    ----------
    sums, target
        Flat sums, and where those of this window and tile of filters begin.
    values, operands, begin, end
        Flat values of the events, which operand each one is, and the run of them.
    weights, origin
        Flat weights of tiles, and where those of operand 0 would be; no event of the run may lie outside.
    vectors
        A literal: the vectors of accumulators in a tile's width. They are of the type of the weights, and of 16 bits for int8,
        whose sums are 32 bits wide: the caller keeps runs so short that 16 bits hold their sum.

    Cost: for each event a broadcast, and for each vector a multiply-add that loads its weights.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = [_pointer(context, builder, kind, value) for kind, value in zip(signature.args, arguments, strict=True)]
        _add_run(builder, data, vectors.literal_value)
        return context.get_dummy_value()

    index = types.intp
    return types.void(sums, index, values, operands, index, index, weights, index, vectors), generate


@_intrinsic
def compress_lanes(
    typing: Any, values: Any, operands: Any, end: Any, given: Any, nonzero: Any, first: Any, operand: Any
) -> Any:
    """Append those of 16 numbers that are marked to the events; return how many.

    Parameters
    ----------
    values, operands, end
        Flat values of the events and which operand each one is, and how many there are already.
    given, nonzero, first
        Flat numbers, flat marks of which are events, and where the 16 begin.
    operand
        Which operand the first of the 16 is.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = [_pointer(context, builder, kind, value) for kind, value in zip(signature.args, arguments, strict=True)]
        return _compress_lanes(builder, data)

    index = types.intp
    return index(values, operands, index, given, nonzero, index, index), generate


def _add_run(builder: Any, data: Any, vectors: int) -> None:
    sums, target, values, operands, begin, end, weights, origin, _ = data
    kind = _INT16 if _kind(weights) == _INT8 else _kind(weights)
    lanes = VECTOR_BYTES * 8 // _bits(kind)
    vector = ir.VectorType(kind, lanes)
    zero = ir.Constant(vector, None)
    before, body, after = builder.block, builder.append_basic_block("event"), builder.append_basic_block("sum")
    builder.cbranch(builder.icmp_signed("<", begin, end), body, after)

    builder.position_at_end(body)
    event = builder.phi(_INDEX)
    totals = [builder.phi(vector) for _ in range(vectors)]
    value = _broadcast(builder, _resized(builder, builder.load(builder.gep(values, [event])), kind), lanes)
    operand = _resized(builder, builder.load(builder.gep(operands, [event])), _INDEX)
    first = builder.add(origin, builder.mul(operand, _INDEX(vectors * lanes)))
    grown = []
    for number, total in enumerate(totals):
        weight = _load(builder, _vector_at(builder, weights, first, number, lanes))
        grown.append(_multiply_add(builder, value, _resized(builder, weight, vector), total))
    following = builder.add(event, _INDEX(1))
    builder.cbranch(builder.icmp_signed("<", following, end), body, after)
    event.add_incoming(begin, before)
    event.add_incoming(following, body)

    builder.position_at_end(after)
    results = [builder.phi(vector) for _ in range(vectors)]
    for total, more, result in zip(totals, grown, results, strict=True):
        for phi in (total, result):
            phi.add_incoming(zero, before)
            phi.add_incoming(more, body)
    add = builder.add if isinstance(kind, ir.IntType) else builder.fadd
    for number, result in enumerate(results):
        pointer = _vector_at(builder, sums, target, number, lanes)
        here = _load(builder, pointer)
        builder.store(add(here, _resized(builder, result, here.type)), pointer, align=_bits(_kind(sums)) // 8)


def _compress_lanes(builder: Any, data: Any) -> Any:
    values, operands, end, given, nonzero, first, operand = data
    lanes = COMPRESSED_LANES
    numbers = _load(builder, _vector_at(builder, given, first, 0, lanes))
    marks = _load(builder, _vector_at(builder, nonzero, first, 0, lanes))
    mask = builder.icmp_unsigned("!=", marks, ir.Constant(marks.type, None))
    steps = ir.Constant(ir.VectorType(_kind(operands), lanes), list(range(lanes)))
    numbered = builder.add(steps, _broadcast(builder, _resized(builder, operand, _kind(operands)), lanes))
    for pointer, found in ((values, numbers), (operands, numbered)):
        kind = ir.VectorType(_kind(pointer), lanes)
        here = builder.gep(pointer, [end])
        function = ir.FunctionType(ir.VoidType(), [kind, here.type, mask.type])
        store = _declared(builder, f"llvm.masked.compressstore.{_suffix(kind)}", function)
        builder.call(store, [_resized(builder, found, kind), here, mask])
    count = builder.ctpop(builder.bitcast(mask, ir.IntType(lanes)))
    return builder.zext(count, _INDEX)


def _pointer(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Return the pointer to an array's data; anything else as it is."""
    if not isinstance(kind, types.Array):
        return value
    data = context.make_array(kind)(context, builder, value).data
    return builder.bitcast(data, context.get_data_type(kind.dtype).as_pointer())


def _kind(pointer: Any) -> Any:
    return pointer.type.pointee


def _vector_at(builder: Any, pointer: Any, first: Any, number: int, lanes: int) -> Any:
    at = builder.gep(builder.gep(pointer, [first]), [_INDEX(number * lanes)])
    return builder.bitcast(at, ir.VectorType(_kind(pointer), lanes).as_pointer())


def _load(builder: Any, pointer: Any) -> Any:
    """Load a vector that need not be aligned."""
    return builder.load(pointer, align=_bits(_kind(pointer).element) // 8)


def _multiply_add(builder: Any, left: Any, right: Any, total: Any) -> Any:
    if isinstance(total.type.element, ir.IntType):
        return builder.add(builder.mul(left, right), total)
    function = ir.FunctionType(total.type, [total.type] * 3)  # fused where the processor can
    return builder.call(_declared(builder, f"llvm.fmuladd.{_suffix(total.type)}", function), [left, right, total])


def _broadcast(builder: Any, value: Any, lanes: int) -> Any:
    undefined = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    one = builder.insert_element(undefined, value, _INT32(0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(_INT32, lanes), None))


def _resized(builder: Any, value: Any, kind: Any) -> Any:
    """Widen or narrow integers, or vectors of them; everything else is of its kind already."""
    if value.type == kind:
        return value
    elements = [one.element if isinstance(one, ir.VectorType) else one for one in (value.type, kind)]
    change = builder.sext if elements[0].width < elements[1].width else builder.trunc
    return change(value, kind)


def _declared(builder: Any, name: str, function: Any) -> Any:
    return cgutils.get_or_insert_function(builder.module, function, name)  # type: ignore[no-untyped-call]


def _suffix(vector: Any) -> str:
    """Name a vector as LLVM's intrinsic functions do."""
    return f"v{vector.count}{'i' if isinstance(vector.element, ir.IntType) else 'f'}{_bits(vector.element)}"


def _bits(kind: Any) -> int:
    return int(kind.width) if isinstance(kind, ir.IntType) else _FLOAT_BITS[kind]
