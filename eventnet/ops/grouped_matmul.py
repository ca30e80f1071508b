"""Grouped matrix products: the experts of a mixture, each multiplied by the rows that were sent to it.

Where the groups begin and end is itself computed by the program, so the products are known only when they run.
"""

from typing import Any

import torch
from torch import Tensor


def grouped_matmul(self: Tensor, mat2: Tensor, offs: Tensor | None, bias: Tensor | None, out_dtype: torch.dtype | None) -> Any:
    """Return what PyTorch's kernel returns; where it leaves memory as it was, behind the last group, are zeros.

    Groups are of rows, of columns or of the dimension that is summed over; ``offs`` holds the end of each.
    """
    if bias is not None:
        return NotImplemented
    if offs is None:
        return torch.bmm(self, mat2)
    rows, columns = self.shape[-2], mat2.shape[-1]
    both_matrices = self.dim() == mat2.dim() == 2
    output = self.new_zeros((len(offs), rows, columns) if both_matrices else (rows, columns))
    begin = 0
    for group, end in enumerate(offs.tolist()):
        if both_matrices:
            first, second, into = self[:, begin:end], mat2[begin:end], output[group]
        elif self.dim() == 2:
            first, second, into = self[begin:end], mat2[group], output[begin:end]
        else:
            first, second, into = self[group], mat2[:, begin:end], output[:, begin:end]
        if begin != end:
            torch.mm(first, second, out=into)
        begin = end
    return output


REWRITES = {"_grouped_mm": grouped_matmul}
