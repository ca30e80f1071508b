"""Prices of one processing element of Eyeriss v2 at 45 nm.

Source: Y. N. Wu et al., "Sparseloop: An Analytical Approach to Sparse Tensor Accelerator Modeling", MICRO 2022: the energy
reference table of its published artifact for this element. An access of a scratchpad is priced as the table has it, and its
metadata (the counts of the compressed format) apart. Its leakage and clock are not in it, so nothing here is static. What
comes from outside of the element is priced as DRAM.
"""

from types import MappingProxyType

from hwmodel.offchip import READ
from hwmodel.prices import horowitz2014
from hwmodel.pricing import Price, PriceTable

NODE_NM = 45
ERT = "Sparseloop, MICRO 2022, artifact: energy reference table of the Eyeriss v2 element"


def _read(pj: float, what: str, bits: float = 0.0) -> Price:
    return Price(pj, f"{ERT}: {what}", "read", NODE_NM, bits / 8)


TABLE = PriceTable(
    "wu2022",
    actions=MappingProxyType(
        {
            "pe.multiply": _read(0.561, "multiply and add 0.561 pJ"),
            "iact.read_word": _read(0.130, "input scratchpad 0.130 pJ", 8),
            "iact.read_count": _read(0.149, "input metadata 0.149 pJ", 4),
            "weight.read_word": _read(0.477, "weight scratchpad, read 0.477 pJ", 8),
            "weight.read_count": _read(0.884, "weight metadata 0.884 pJ", 4),
            "psum.read_word": _read(0.167, "scratchpad of sums 0.167 pJ", 20),
            "psum.write_word": _read(0.167, "scratchpad of sums 0.167 pJ", 20),
            READ: Price(horowitz2014.DRAM_READ_32_BIT_PJ / 4, "Horowitz, ISSCC 2014: 640 pJ for 32 bits of DRAM", "read", 45),
        }
    ),
    static=MappingProxyType({}),
)
