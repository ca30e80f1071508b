"""The README's program prints what the README says."""

import contextlib
import io
import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_the_first_program_prints_its_table():
    text = README.read_text()
    program = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    promised = re.search(r"```text\n(.*?)```", text, re.DOTALL)[1]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "README.md", "exec"), {})
    lines = printed.getvalue().splitlines()
    # The last two lines hold rounding errors, which depend on the processor's kernels.
    assert lines[:-2] == promised.splitlines()[:-2]
    assert "both exact checks hold" in lines[-1]


def test_the_files_of_the_reading_order_are_there():
    listed = re.findall(r"^\d\. `([^`]+)`", README.read_text(), re.MULTILINE)
    assert len(listed) == 9
    for path in listed:
        assert (README.parent / path).is_file(), path
