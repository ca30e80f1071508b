"""Vector work while a program is watched: what an operator without products reads, and which operators are one operation."""

from collections.abc import Hashable, Iterable

import torch

from eventnet import aten
from eventnet.devices import Devices
from eventnet.modules import ModuleStack, Place
from eventnet.origins import Origins
from eventnet.provenance import Mark, storage_key
from eventnet.vector import VectorCall, distinct_elements, nonzeros
from hwmodel.vector import VectorTask


class VectorWork:
    """Charges the machines of one run with vector work."""

    def __init__(self, origins: Origins, stack: ModuleStack, devices: Devices) -> None:
        self._origins, self._stack, self._devices = origins, stack, devices

    def operands(self, tensors: list[torch.Tensor], marks: dict[int, int], place: Place) -> tuple[torch.Tensor, ...]:
        """List those of several tensors that are no parameters, nor made from such or drawn; each view of a storage once.

        Nothing if none of them changes with the sample: that was computed beforehand. Numbers are left out beside tensors.
        """
        found: list[torch.Tensor] = []
        streamed = 0
        for tensor in tensors:
            mark = marks.get(id(tensor))
            if mark is None:
                mark = self._origins.of(tensor, place)
            if mark & Mark.ELSEWHERE:
                continue
            if tensor.layout is not aten.STRIDED:
                tensor = aten.stored(tensor)
            streamed |= mark & Mark.STREAMED
            if not mark & (Mark.STATIC | Mark.DRAWN) and (tensor.dim() or mark & Mark.STREAMED):
                found.append(tensor)
        if not streamed:
            return ()
        if len(found) < 2 or len(set(map(storage_key, found))) == len(found):
            return tuple(found)
        return tuple({_view(tensor): tensor for tensor in found}.values())

    def is_step(self, call: VectorCall, place: Place) -> bool:
        """Tell whether a call is a step of an operation of several operators, and charge that one at its first step.

        Its backward is charged at its first step in each pass, with the gradient and the input.
        """
        operation = self._stack.operation
        if operation is not None:
            if not operation.inputs:
                operands = self.operands(aten.tensors_in(operation.input), {}, place)
                operation.inputs = count_elements(operands)
                results = sum(tensor.numel() for tensor in call.results)
                task = VectorTask(operation.op, operation.inputs, results, place.name)
                self.charge(task, place, operation.inputs, count_nonzeros(operands))
            return True
        operation = self._stack.operation_of_backward()
        if operation is None:
            return False
        passing = torch._C._current_graph_task_id()
        if passing not in operation.charged:
            operation.charged.add(passing)
            task = VectorTask(operation.op, 2 * operation.inputs, operation.inputs, place.name, "input_gradient")
            self.charge(task, place, count_elements(call.operands), count_nonzeros(call.operands))
        return True

    def charge(self, task: VectorTask, place: Place, activations: int, events: int, pipelined: bool = False) -> None:
        """Let a vector operation take its time; none if it runs in the last stage of a product's pipeline."""
        if pipelined:
            self._devices.pipelined(task, place, activations, events)
        else:
            self._origins.task_begins()
            self._devices.vector(task, place, activations, events)


def _view(tensor: torch.Tensor) -> Hashable:
    """Return what tells a view from all others."""
    return storage_key(tensor), tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype


def count_elements(tensors: Iterable[torch.Tensor]) -> int:
    """Count the elements of several tensors, those that ``expand`` repeats once."""
    return sum(map(distinct_elements, tensors))


def count_nonzeros(tensors: Iterable[torch.Tensor]) -> int:
    """Count the nonzero elements of several tensors."""
    return sum(map(nonzeros, tensors))
