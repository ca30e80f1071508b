"""Where the operands of a program come from, as one watcher knows it: its parameters, its inputs, what was made of them."""

from collections import Counter
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from eventnet import aten
from eventnet.devices import Devices
from eventnet.held import tensors_in
from eventnet.modules import ModuleStack, Place
from eventnet.product import Product
from eventnet.provenance import Mark, Provenance, storage_key
from eventnet.vector import distinct_elements
from hwmodel.errors import UnsupportedError
from hwmodel.offchip import NO_PARAMETER, Parameter


class Origins(Provenance):
    """The marks of one run, with what nobody has made taken in when it first reaches an operator.

    Parameters
    ----------
    root
        The model of a simulation, if there is one.
    stack
        Where the program is, to tell its own tensors from a module's.
    devices
        Counts what nothing that is watched has made.
    strict
        Whether such is refused.
    where
        The function that was called, for an error.
    """

    def __init__(self, root: Any, stack: ModuleStack, devices: Devices, strict: bool, where: str) -> None:
        super().__init__()
        self._stack, self._devices, self._strict, self._where = stack, devices, strict, where
        self._parameter_names: dict[int, str] = {}
        self._computed: Counter[Place] = Counter()
        self._just_known: nn.Module | None = None
        if isinstance(root, nn.Module):
            self._know_parameters(root)
            self._just_known = root

    def know_inputs(self, inputs: Any) -> None:
        """Take every tensor that nested arguments hold as an input of the program, unless it is known already."""
        for tensor in tensors_in(inputs):
            if aten.has_values(tensor) and self.get(tensor) is None:
                self.set(tensor, Mark.STREAMED | Mark.INPUT)

    def enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """Take in a module whose forward begins, and what it is given."""
        if module is self._just_known:
            self._just_known = None
        else:
            self._know_parameters(module)
        self.know_inputs(args)

    def _know_parameters(self, module: nn.Module) -> None:
        for path, one in module.named_modules():
            for name, tensor in (*one._parameters.items(), *one._buffers.items()):
                if tensor is None or is_lazy(tensor) or not aten.has_values(tensor) or self.get(tensor) is not None:
                    continue
                self.set(tensor, Mark.STATIC | Mark.PARAMETER)
                self._parameter_names[storage_key(tensor)] = f"{path}.{name}" if path else name

    def of(self, tensor: torch.Tensor, place: Place) -> int:
        """Return what is known of a tensor's origin; take a parameter in, and count what came from nowhere."""
        if not aten.has_values(tensor):
            return Mark.STREAMED | Mark.ELSEWHERE
        mark = self.get(tensor)
        if mark is not None:
            return mark
        if isinstance(tensor, nn.Parameter) or isinstance(tensor._base, nn.Parameter):
            mark = Mark.STATIC | Mark.PARAMETER
        elif tensor.dim() == 0 or not tensor.numel():
            mark = Mark.CONSTANT  # a number of the program that PyTorch wrapped, or no number at all
        elif not self._stack.inside and torch._C._current_autograd_node() is None:
            mark = Mark.STREAMED | Mark.INPUT  # written in the watched program itself, outside of any module
        else:
            mark = Mark.STREAMED
            self._devices.unwatched()
            if self._strict:
                raise UnsupportedError(
                    f"{self._where}: a tensor of shape {tuple(tensor.shape)} in {place.name or 'the program'} was made by "
                    "nothing that is watched (numpy, a list, another thread), expected none because strict=True. Make it with "
                    "PyTorch in this thread, or pass it in as an argument."
                )
        self.set(tensor, mark)
        return mark

    def parameter(self, product: Product, place: Place) -> Parameter:
        """Say what a product's static operand is to a weight memory, each element counted once."""
        if product.task.two_activations:
            return NO_PARAMETER
        whole = product.second if product.gathered_from is None else product.gathered_from
        distinct = distinct_elements(whole)
        needed = distinct if whole is product.second else min(distinct, distinct_elements(product.second))
        bits = product.task.weight_bits
        size, read = distinct * bits // 8, needed * bits // 8
        if (self.get(whole) or Mark.CONSTANT) & Mark.PARAMETER:
            return Parameter((storage_key(whole), whole.storage_offset(), distinct), size, read)
        self._computed[place] += 1  # computed anew from a parameter: the same one at each call of its module
        return Parameter((place.name, self._computed[place]), size, read)

    def is_static(self, tensor: torch.Tensor) -> bool:
        """Tell whether a tensor is a parameter, or computed only from such."""
        return bool((self.get(tensor) or Mark.CONSTANT) & Mark.STATIC)

    def is_input(self, tensor: torch.Tensor) -> bool:
        """Tell whether a tensor comes from the program's inputs with no multiply-accumulate in between."""
        mark = self.get(tensor) or Mark.CONSTANT
        return bool(mark & Mark.INPUT) and not mark & Mark.PRODUCT

    def name(self, tensor: torch.Tensor) -> str:
        """Name a tensor for an error, as the parameter that it is."""
        name = self._parameter_names.get(storage_key(tensor))
        return f"{self._where}: parameter {name!r}" if name else f"{self._where}: an operand that is no parameter"
