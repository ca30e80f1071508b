"""What all tests share."""

import os

import torch

# Workers that share the cores would let each other's threads wait, for minutes where seconds are enough.
if "PYTEST_XDIST_WORKER" in os.environ:
    torch.set_num_threads(1)


def pytest_terminal_summary(terminalreporter):
    """Print what the generated tests drew, whichever worker drew it."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == "distribution":
                terminalreporter.write_line(value)
