"""Operators with an event form: one file each, found by presence. A file lists its forms in ``FORMS``."""

from functools import cache

import eventnet.ops as op_files
from eventnet.call import Form
from hwmodel.catalogue import modules_of
from hwmodel.errors import DuplicateNameError


@cache
def forms() -> dict[str, Form]:
    """Return the event form of every aten operator that has one, by the operator's name."""
    found: dict[str, tuple[Form, str]] = {}
    for module in modules_of(op_files):
        for form in module.FORMS:
            for name in form.aten:
                if name in found:
                    raise DuplicateNameError(
                        f"eventnet.ops: the operator {name!r} has two event forms, in {found[name][1]} and "
                        f"{module.__name__}. Remove one of them."
                    )
                found[name] = (form, module.__name__)
    return {name: form for name, (form, _) in found.items()}
