"""Read an ONNX file and check all of it before anything runs. Only protobuf is parsed: nothing in the file is executed."""

from pathlib import Path

import onnx
import onnx.inliner
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from onnx import ModelProto

from eventnet.onnx.structure import check_functions, check_graph, opset_of
from eventnet.onnx.tensors import check_tensors, has_external_data
from hwmodel.errors import DataError, UnsupportedError

LARGEST_BYTES = 2**31 - 1  # protobuf's own limit


def read_model(path: Path, where: str) -> ModelProto:
    """Return a model whose tensors and nodes were checked.

    Raises
    ------
    DataError
        If the file cannot be read, is no ONNX model, or says something that is not so.
    UnsupportedError
        If it holds something that has no function here.
    """
    model = _parsed(_content(path, where), where)
    opset_of(model, where)
    check_tensors(model, where, path.resolve().parent)
    check_functions(model, where)  # first: the checker follows them however many they are
    if not model.functions:
        check_graph(model, where)
    _check_nodes(model, path, where)
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
        check_graph(model, where)
    return model


def _content(path: Path, where: str) -> bytes:
    try:
        size = path.stat().st_size
        if not path.is_file():
            what = "a folder" if path.is_dir() else "no regular file"
            raise DataError(f"{where}: it is {what}, expected an ONNX file. Mend the path.")
        if size > LARGEST_BYTES:
            raise DataError(
                f"{where}: it has {size} bytes, expected at most {LARGEST_BYTES}. Export the model with its weights in a file "
                "of their own."
            )
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{where}: there is no such file, expected an ONNX file. Mend the path.") from None
    except OSError as error:
        raise DataError(f"{where}: it cannot be read ({error.strerror}), expected an ONNX file. Mend the path.") from None
    if not content:
        raise DataError(f"{where}: it is empty, expected an ONNX file. Export the model again.")
    return content


def _parsed(content: bytes, where: str) -> ModelProto:
    try:
        model = ModelProto()
        model.ParseFromString(content)
    except DecodeError:
        raise DataError(
            f"{where}: it is no ONNX file or has lost its end, expected a whole one. Copy it or export the model again."
        ) from None
    if not model.HasField("graph") or not model.ir_version:
        raise DataError(f"{where}: it holds no graph, expected an ONNX file. Export the model again.")
    if not _is_text(model):
        raise DataError(f"{where}: a name in it is no UTF-8, expected text. Copy the file again or export the model again.")
    if model.ir_version > onnx.IR_VERSION:
        raise UnsupportedError(
            f"{where}: it is of ONNX format {model.ir_version}, expected at most {onnx.IR_VERSION}. "
            "Install a newer onnx, or export the model with an older one."
        )
    return model


def _is_text(message: Message) -> bool:
    """Tell whether all strings of a message are text: protobuf hands out others as bytes."""
    for field, value in message.ListFields():
        values = value if field.is_repeated else [value]
        if field.type == FieldDescriptor.TYPE_STRING and any(isinstance(one, bytes) for one in values):
            return False
        if field.type == FieldDescriptor.TYPE_MESSAGE and not all(map(_is_text, values)):
            return False
    return True


def _check_nodes(model: ModelProto, path: Path, where: str) -> None:
    """Let the ONNX package check every node against its operator's definition.

    Not with ``full_check``: its inference of shapes reads memory that is not its own when an axis is far out of range.
    """
    try:
        onnx.checker.check_model(str(path.resolve()) if has_external_data(model, where) else model)
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        said = " ".join(str(error).split()).rstrip(".")
        raise DataError(
            f"{where}: the ONNX checker says {said[:300]!r}, expected a valid model. Export the model again."
        ) from None
