"""Which mutant is played: part of a woven kernel only, where it lies in `sim/data` (tests.deep.weaving).

The number's address is part of the machine code, so a process that is forked off has it at the same place.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types

NUMBER = np.zeros(1, dtype=np.int64)
intrinsic: Any = extending.intrinsic


@intrinsic
def chosen(typing_context: Any) -> Any:
    """Return the number, in compiled code."""

    def read(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        place = builder.inttoptr(ir.Constant(word, NUMBER.ctypes.data), word.as_pointer())
        return builder.load(place)

    return types.int64(), read
