"""Reads and writes at an address, as in C: the kernel's state is records and tables of numbers behind one record.

An array passed to a compiled function is seven values, and each index into it is tested for being negative; a record
behind an address is one value and none. `python -m tests.deep.bounds` compiles the tests in again.
"""

import os
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, from_dtype, types

from sim.data.compiled import forced

CHECKED = os.environ.get("NUMBA_BOUNDSCHECK") == "1"
intrinsic: Any = extending.intrinsic
_I64 = ir.IntType(64)


def _element(builder, address, index, size):
    """Pointer to element `index` of elements of `size` bytes."""
    offset = builder.mul(index, ir.Constant(_I64, size))
    base = builder.inttoptr(address, ir.IntType(8).as_pointer())
    return builder.gep(base, [offset])


def record_at(dtype: np.dtype[Any]) -> Any:
    """Make a function (address, index) -> record of a table of records."""
    record = from_dtype(dtype)

    @intrinsic
    def at(typingctx, address, index):
        def codegen(context, builder, signature, args):
            pointer = _element(builder, args[0], args[1], dtype.itemsize)
            return builder.bitcast(pointer, context.get_value_type(record))

        return record(types.int64, types.int64), codegen

    return at


def _number(numba_type: Any, llvm_type: Any, size: int) -> tuple[Any, Any]:
    """Make functions (address, index) -> number and (address, index, number) of a table of numbers."""

    @intrinsic
    def load(typingctx, address, index):
        def codegen(context, builder, signature, args):
            pointer = builder.bitcast(_element(builder, args[0], args[1], size), llvm_type.as_pointer())
            return builder.load(pointer, typ=llvm_type)

        return numba_type(types.int64, types.int64), codegen

    @intrinsic
    def store(typingctx, address, index, value):
        def codegen(context, builder, signature, args):
            pointer = builder.bitcast(_element(builder, args[0], args[1], size), llvm_type.as_pointer())
            builder.store(args[2], pointer)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, numba_type), codegen

    return load, store


load, store = _number(types.int64, _I64, 8)
load_small, store_small = _number(types.int32, ir.IntType(32), 4)
load_byte, store_byte = _number(types.uint8, ir.IntType(8), 1)
load_key, _ = _number(types.uint64, _I64, 8)
load_float, store_float = _number(types.float64, ir.DoubleType(), 8)


@intrinsic
def leading_zeros(typingctx, value):
    """Count the leading zero bits of a positive number."""

    def codegen(context, builder, signature, args):
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), codegen


@intrinsic
def quotient(typingctx, number, divisor):
    """Return number // divisor of a number >= 0 and a divisor > 0, without tests of signs."""

    def codegen(context, builder, signature, args):
        return builder.udiv(args[0], args[1])

    return types.int64(types.int64, types.int64), codegen


@forced
def inside(index, count):
    """Return the index; in the checked build an index outside [0, count) is an error."""
    if CHECKED and (index < 0 or index >= count):
        raise IndexError("the kernel left one of its tables")
    return index
