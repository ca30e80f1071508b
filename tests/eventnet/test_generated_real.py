"""Random networks of real values, forward and backward: every operator within its rounding bound.

`make test` runs a thousand from a fixed seed; `make fuzz` runs EVENTNET_FUZZ of them from another seed each time, and a failure
prints how to have it again.
"""

import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given

sys.path.insert(0, str(Path(__file__).parent))
from generated import networks
from generated_runs import EXAMPLES, SETTINGS, check_accounts, check_variety, count, run, strides

drawn: Counter[str] = Counter()


@SETTINGS
@given(network=networks("real"))
def test_networks_agree(network):
    count(network, drawn)
    expected, found, watched = run(network)
    check_accounts(watched)
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.shape, ours.dtype, strides(ours)) == (theirs.shape, theirs.dtype, strides(theirs))


def test_the_networks_are_as_varied_as_they_should_be(record_property):
    if drawn["networks"] < EXAMPLES:
        pytest.skip("the generated networks did not run in this process")
    record_property("distribution", check_variety(drawn))
