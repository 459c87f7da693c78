"""Records and tables at addresses, as in C: the kernel's state is one record of globals and the tables it points to.

An array passed to a compiled function is seven values, and each index into it is tested for being negative; a record
behind an address is one value and none. Each read and write tells LLVM which field it touches (type-based alias
analysis), so that a write to one field does not make it read all others again. All integers are 64 bits wide in the
kernel, 32 in memory where that is enough. With NUMBA_BOUNDSCHECK=1 each index is tested against its table's length.
"""

import os
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, from_dtype, types
from numba.core import cgutils, imputils
from numba.core.typing import templates
from numba.extending import models, register_model

from sim.data import layout

CHECKED = os.environ.get("NUMBA_BOUNDSCHECK") == "1"
intrinsic: Any = extending.intrinsic
_AttributeTemplate: Any = templates.AttributeTemplate
_I8, _I64 = ir.IntType(8), ir.IntType(64)


class Struct(types.Type):
    """A record behind an address: the kernel's own type for one of layout's records."""

    def __init__(self, label: str, dtype: np.dtype[Any]) -> None:
        super().__init__(name=f"Struct({label})")
        self.label = label
        self.size = dtype.itemsize
        self.offsets = {name: dtype.fields[name][1] for name in dtype.names or ()} if dtype.fields else {}
        self.kinds = {name: from_dtype(dtype[name]) for name in dtype.names or ()}


@register_model(Struct)
class _StructModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _I8.as_pointer())


STATE = Struct("state", layout.STATE)


def _tagged(builder: Any, instruction: Any, name: str) -> Any:
    """Say that an instruction touches this field or table and no other."""
    module = builder.module
    root = module.add_metadata(["kernel"])
    kind = module.add_metadata([name, root, ir.Constant(_I64, 0)])
    instruction.set_metadata("tbaa", module.add_metadata([kind, kind, ir.Constant(_I64, 0)]))
    return instruction


def _element(builder: Any, pointer: Any, offset: Any, llvm_type: Any) -> Any:
    return builder.bitcast(builder.gep(pointer, [offset]), llvm_type.as_pointer())


def _field(context: Any, builder: Any, struct: Struct, pointer: Any, name: str) -> Any:
    kind = struct.kinds[name]
    llvm_type = context.get_data_type(kind)
    place = _element(builder, pointer, ir.Constant(_I64, struct.offsets[name]), llvm_type)
    value = _tagged(builder, builder.load(place, typ=llvm_type), f"{struct.label}.{name}")
    return builder.sext(value, _I64) if kind == types.int32 else value


@templates.infer_getattr
class _Fields(_AttributeTemplate):
    key = Struct

    def generic_resolve(self, struct: Struct, name: str) -> Any:
        kind = struct.kinds.get(name)
        return types.int64 if kind == types.int32 else kind


@imputils.lower_getattr_generic(Struct)
def _read_field(context, builder, struct, pointer, name):
    return _field(context, builder, struct, pointer, name)


@imputils.lower_setattr_generic(Struct)
def _write_field(context, builder, signature, args, name):
    struct = signature.args[0]
    kind = struct.kinds[name]
    llvm_type = context.get_data_type(kind)
    value = builder.trunc(args[1], llvm_type) if kind == types.int32 else args[1]
    place = _element(builder, args[0], ir.Constant(_I64, struct.offsets[name]), llvm_type)
    _tagged(builder, builder.store(value, place), f"{struct.label}.{name}")


def _check(context: Any, builder: Any, table: str, index: Any, length: Any) -> None:
    with cgutils.if_unlikely(builder, builder.icmp_unsigned(">=", index, length)):
        context.call_conv.return_user_exc(builder, IndexError, (f"the kernel left its table {table}",))


def _base(context: Any, builder: Any, table: str, state: Any, index: Any) -> Any:
    """Where a table begins; in the checked build an index outside it is an error."""
    if CHECKED:
        _check(context, builder, table, index, _field(context, builder, STATE, state, f"{table}_n"))
    return builder.inttoptr(_field(context, builder, STATE, state, table), _I8.as_pointer())


def records(table: str, struct: Struct) -> Any:
    """Make a function (state, index) -> record of a table of records."""

    @intrinsic
    def at(typingctx, state, index):
        def codegen(context, builder, signature, args):
            base = _base(context, builder, table, args[0], args[1])
            return builder.gep(base, [builder.mul(args[1], ir.Constant(_I64, struct.size))])

        return struct(STATE, types.int64), codegen

    return at


def records_of(table: str, length: str, struct: Struct) -> Any:
    """Make a function (record, index) -> record of a table whose address and length are fields of a record."""

    @intrinsic
    def at(typingctx, owner, index):
        def codegen(context, builder, signature, args):
            if CHECKED:
                _check(context, builder, table, args[1], _field(context, builder, signature.args[0], args[0], length))
            base = builder.inttoptr(_field(context, builder, signature.args[0], args[0], table), _I8.as_pointer())
            return builder.gep(base, [builder.mul(args[1], ir.Constant(_I64, struct.size))])

        return struct(owner, types.int64), codegen

    return at


_TYPES = {
    "i8": (types.int64, _I64),
    "i4": (types.int64, ir.IntType(32)),
    "u1": (types.int64, _I8),
    "u8": (types.uint64, _I64),
    "f8": (types.float64, ir.DoubleType()),
}


def numbers(table: str, kind: str = "i8") -> tuple[Any, Any]:
    """Make functions (state, index) -> number and (state, index, number) of a table of numbers of one kind."""
    numba_type, llvm_type = _TYPES[kind]

    def place(context: Any, builder: Any, args: Any) -> Any:
        base = _base(context, builder, table, args[0], args[1])
        return builder.gep(builder.bitcast(base, llvm_type.as_pointer()), [args[1]], source_etype=llvm_type)

    @intrinsic
    def read(typingctx, state, index):
        def codegen(context, builder, signature, args):
            value = _tagged(builder, builder.load(place(context, builder, args), typ=llvm_type), table)
            if kind == "i4":
                return builder.sext(value, _I64)
            return builder.zext(value, _I64) if kind == "u1" else value

        return numba_type(STATE, types.int64), codegen

    @intrinsic
    def write(typingctx, state, index, value):
        def codegen(context, builder, signature, args):
            number = builder.trunc(args[2], llvm_type) if kind in ("i4", "u1") else args[2]
            _tagged(builder, builder.store(number, place(context, builder, args)), table)
            return context.get_dummy_value()

        return types.void(STATE, types.int64, numba_type), codegen

    return read, write


def lanes(table: str) -> tuple[Any, Any]:
    """Make functions on LANES neighbours of a table of numbers, one of which may be left out.

    (state, index, place) -> the least of them but the one at a place of the table;
    (state, index, place, number) -> bits of those, but the one at the place, that are equal to a number.
    """
    count = layout.LANES
    vector, halves = ir.VectorType(_I64, count), ir.VectorType(ir.IntType(32), count)
    numbers = ir.Constant(vector, list(range(count)))

    def spread(builder: Any, value: Any) -> Any:
        one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(one, one, ir.Constant(halves, [0] * count))

    def load(context: Any, builder: Any, args: Any) -> tuple[Any, Any]:
        base = _base(context, builder, table, args[0], args[1])
        place = _element(builder, base, builder.mul(args[1], ir.Constant(_I64, 8)), vector)
        left_out = builder.icmp_signed("==", numbers, spread(builder, builder.sub(args[2], args[1])))
        return _tagged(builder, builder.load(place, align=64, typ=vector), table), left_out

    @intrinsic
    def least(typingctx, state, index, place):
        def codegen(context, builder, signature, args):
            values, left_out = load(context, builder, args)
            values = builder.select(left_out, ir.Constant(vector, [layout.INF] * count), values)
            kind = ir.FunctionType(_I64, [vector])
            reduce = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.smin.v{count}i64")
            return builder.call(reduce, [values])

        return types.int64(STATE, types.int64, types.int64), codegen

    @intrinsic
    def equal(typingctx, state, index, place, value):
        def codegen(context, builder, signature, args):
            values, left_out = load(context, builder, args)
            same = builder.icmp_signed("==", values, spread(builder, args[3]))
            same = builder.and_(same, builder.not_(left_out))
            return builder.zext(builder.bitcast(same, ir.IntType(count)), _I64)

        return types.int64(STATE, types.int64, types.int64, types.int64), codegen

    return least, equal


@intrinsic
def apart(typingctx):
    """Keep the function that calls this apart: rare work is not copied into the loop."""

    def codegen(context, builder, signature, args):
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def state_at(typingctx, address):
    """Return the record of globals at an address."""

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], _I8.as_pointer())

    return STATE(types.int64), codegen


@intrinsic
def leading_zeros(typingctx, value):
    """Count the leading zero bits of a positive number."""

    def codegen(context, builder, signature, args):
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), codegen


@intrinsic
def trailing_zeros(typingctx, value):
    """Count the trailing zero bits of a number that is not 0."""

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), codegen


@intrinsic
def quotient(typingctx, number, divisor):
    """Return number // divisor of a number >= 0 and a divisor > 0, without tests of signs."""

    def codegen(context, builder, signature, args):
        return builder.udiv(args[0], args[1])

    return types.int64(types.int64, types.int64), codegen
