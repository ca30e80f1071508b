"""Load a model from an ONNX file as a PyTorch module."""

from importlib.util import find_spec
from os import PathLike
from pathlib import Path

from torch import nn

from hwmodel.errors import ParameterError, UnsupportedError


def load(path: str | PathLike[str]) -> nn.Module:
    """Return the model in an ONNX file, to be run, watched or simulated like any other module.

    Needs the extra ``eventnet[onnx]``. Nodes become modules of their names, initializers parameters and buffers. Nothing in the
    file is executed, and data outside of its folder are not read.

    Parameters
    ----------
    path
        The file, of opset 7 or later. Weights may lie in files beside it.

    Returns
    -------
    eventnet.onnx.graph.Graph
        A module that takes the graph's inputs in order, or by name, and returns its output or a tuple of its outputs. An input
        with a default value is taken for a constant of that value.

    Raises
    ------
    DataError
        If the file is missing, no ONNX file, broken, or says something that is not so.
    UnsupportedError
        If it uses an operator, an opset or element types that have no form here; or if the extra is not installed.

    Examples
    --------
    >>> import eventnet
    >>> model = eventnet.load("model.onnx")  # doctest: +SKIP
    >>> run = eventnet.simulate(model, image)  # doctest: +SKIP
    """
    if not isinstance(path, str | PathLike) or "\0" in str(path):
        raise ParameterError(f"eventnet.load: path is {path!r}, expected the path of an ONNX file.")
    if find_spec("onnx") is None:
        raise UnsupportedError(
            f"eventnet.load: the package onnx, which reads {str(path)!r}, is not installed, expected the extra of this name. "
            'Run: pip install "eventnet[onnx]".'
        )
    from eventnet.onnx.file import read_model
    from eventnet.onnx.graph import Graph
    from eventnet.onnx.structure import opset_of

    file = Path(path)
    model = read_model(file, f"eventnet.load: {str(path)!r}")
    opset = opset_of(model, f"eventnet.load: {str(path)!r}")
    return Graph(model.graph, opset, f"{str(path)!r}", file.resolve().parent).eval()
