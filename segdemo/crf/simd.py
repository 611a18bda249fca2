"""Eight float32 numbers as one value inside numba's compiled functions, so that they stay in a vector register.

Rows of 8 or 24 labels are too short for LLVM's loop vectorizer, which wants to know that no two arrays overlap and
unrolls for long loops. Saying "eight at once" makes the loops over a pixel's labels two to four times faster.
LLVM turns the eight into one AVX register, two NEON or SSE registers, or plain floats, as the machine has them.

``load``, ``store``, ``spread``, ``add``, ``multiply``, ``multiply_add``, ``maximum``, ``minimum``, ``highest``, ``total``
and ``transpose`` are callable from functions compiled by numba only. Sums may be reordered; NaN is not expected.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

LANES = 8
_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_FAST = ("fast",)


class _Float32x8(types.Type):
    def __init__(self):
        super().__init__(name="float32x8")


float32x8 = _Float32x8()


@register_model(_Float32x8)
class _Float32x8Model(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, _VECTOR)


def _address(context, builder, kind, array, index):
    """A pointer to the eight elements of a contiguous array from ``index`` on."""
    data = cgutils.create_struct_proxy(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


def _spread(builder, scalar):
    first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, ir.Constant(_VECTOR, ir.Undefined), lanes)


@intrinsic
def load(typing, row, index):
    """row[index : index + 8] of a contiguous (n,) float32 array."""

    def generate(context, builder, signature, arguments):
        return builder.load(_address(context, builder, signature.args[0], *arguments), align=4)

    return float32x8(row, types.intp), generate


@intrinsic
def store(typing, row, index, values):
    """row[index : index + 8] = values."""

    def generate(context, builder, signature, arguments):
        builder.store(arguments[2], _address(context, builder, signature.args[0], *arguments[:2]), align=4)
        return context.get_dummy_value()

    return types.void(row, types.intp, values), generate


@intrinsic
def spread(typing, scalar):
    """Eight times the same number."""
    return float32x8(types.float32), lambda context, builder, signature, arguments: _spread(builder, arguments[0])


@intrinsic
def add(typing, a, b):
    """a + b."""
    return float32x8(a, b), lambda context, builder, signature, arguments: builder.fadd(*arguments, flags=_FAST)


@intrinsic
def multiply(typing, a, b):
    """a * b."""
    return float32x8(a, b), lambda context, builder, signature, arguments: builder.fmul(*arguments, flags=_FAST)


@intrinsic
def multiply_add(typing, scalar, a, b):
    """scalar * a + b."""

    def generate(context, builder, signature, arguments):
        scalar, a, b = arguments
        return builder.fadd(builder.fmul(_spread(builder, scalar), a, flags=_FAST), b, flags=_FAST)

    return float32x8(types.float32, a, b), generate


@intrinsic
def maximum(typing, a, b):
    """The larger of each pair."""

    def generate(context, builder, signature, arguments):
        return builder.select(builder.fcmp_ordered(">", *arguments, flags=_FAST), *arguments)

    return float32x8(a, b), generate


@intrinsic
def minimum(typing, a, b):
    """The smaller of each pair."""

    def generate(context, builder, signature, arguments):
        return builder.select(builder.fcmp_ordered("<", *arguments, flags=_FAST), *arguments)

    return float32x8(a, b), generate


@intrinsic
def transpose(typing, source, index, step, target, place, pitch):
    """target[place + pitch j + i] = source[index + step i + j] for i, j = 0..7, of contiguous (n,) float32 arrays."""

    def generate(context, builder, signature, arguments):
        kinds, (source, index, step, target, place, pitch) = signature.args, arguments
        rows = []
        for _ in range(LANES):
            rows.append(builder.load(_address(context, builder, kinds[0], source, index), align=4))
            index = builder.add(index, step)
        distance = LANES // 2  # swap the off-diagonal quarters of ever smaller squares
        while distance:
            for i in (i for i in range(LANES) if not i & distance):
                rows[i], rows[i + distance] = _swap_quarters(builder, rows[i], rows[i + distance], distance)
            distance //= 2
        for row in rows:
            builder.store(row, _address(context, builder, kinds[3], target, place), align=4)
            place = builder.add(place, pitch)
        return context.get_dummy_value()

    return types.void(source, types.intp, types.intp, target, types.intp, types.intp), generate


def _swap_quarters(builder, a, b, distance):
    """Two rows, with the lanes of ``a`` at odd multiples of ``distance`` and those of ``b`` at even ones exchanged."""
    lanes = range(LANES)
    first = [LANES + i - distance if i & distance else i for i in lanes]
    second = [LANES + i if i & distance else i + distance for i in lanes]
    kind = ir.VectorType(ir.IntType(32), LANES)
    return (
        builder.shuffle_vector(a, b, ir.Constant(kind, first)),
        builder.shuffle_vector(a, b, ir.Constant(kind, second)),
    )


def _reduction(name: str, combine):
    """An intrinsic that folds the eight into one, halves first."""

    def reduce(typing, values):
        def generate(context, builder, signature, arguments):
            (vector,), width = arguments, LANES
            while width > 1:
                width //= 2
                index = ir.VectorType(ir.IntType(32), width)
                halves = [
                    builder.shuffle_vector(vector, vector, ir.Constant(index, list(range(first, first + width))))
                    for first in (0, width)
                ]
                vector = combine(builder, *halves)
            return builder.extract_element(vector, ir.Constant(ir.IntType(32), 0))

        return types.float32(values), generate

    reduce.__name__ = reduce.__qualname__ = name
    return intrinsic(reduce)


total = _reduction("total", lambda builder, a, b: builder.fadd(a, b, flags=_FAST))
highest = _reduction(
    "highest", lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b, flags=_FAST), a, b)
)
