"""Measure in processes of their own: a fresh one for each figure, the two sides in turn."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def told(program: str, **environment: str) -> float:
    """Run a program in a fresh process, and return the number that it prints last."""
    variables = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    run = subprocess.run([sys.executable, "-c", program], env=variables, check=True, capture_output=True, text=True)
    return float(run.stdout.split()[-1])


def process_seconds(program: str) -> float:
    """Return the processor time that a fresh process takes from its start to its end."""
    before = os.times()
    told(f"{program}\nprint(0)")
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system
