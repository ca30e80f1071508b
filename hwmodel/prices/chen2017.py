"""Prices of an Eyeriss chip in 65 nm at 1 V, fitted to its published measurements.

Source: Y.-H. Chen et al., "Eyeriss: An Energy-Efficient Reconfigurable Accelerator for Deep Convolutional Neural Networks",
JSSC 2017, Tables V and VI: power, latency, zeros, GLB and DRAM traffic of the five convolutional layers of AlexNet and the
thirteen of VGG-16 (recalled; the sums of their columns are those of the paper's text). Nobody published what an action costs.
The prices are a regression on those 18 layers: power times total latency is

    192.6 mW * latency + 5.25 pJ * products of nonzero inputs + 0.11 pJ * products of zeros
    + 5.7 pJ * words of 16 bits to or from the GLB + 309 pJ * words over the off-chip link,

which gives each within 8.4 %, twelve of them within 3 %. So they are means over these networks, and hold the share of all
that is done so often: a product's price holds its scratchpads and its part of the networks. What takes time whatever is done
(clock network, control, leakage) is static. The link's price is what the *chip* spends, without the memory behind it.
"""

from types import MappingProxyType

from hwmodel.offchip import READ
from hwmodel.pricing import Price, PriceTable, StaticPower

NODE_NM = 65
CLOCK_HZ = 200e6
STATIC_W = 192.6e-3
MULTIPLY_PJ, GATED_PJ, GLB_WORD_PJ, LINK_WORD_PJ = 5.25, 0.11, 5.7, 309.0
WORD_BYTES = 2

FIT = "regression on Eyeriss, JSSC 2017, Tables V and VI (recalled)"


def _fitted(pj: float, what: str, bytes_: float = 0.0) -> Price:
    return Price(pj, f"{FIT}: {what}", "recalled", NODE_NM, bytes_)


TABLE = PriceTable(
    "chen2017",
    actions=MappingProxyType(
        {
            "pe.multiply": _fitted(MULTIPLY_PJ, "5.25 pJ for a product of a nonzero input"),
            "pe.gate": _fitted(GATED_PJ, "0.11 pJ for a product of a zero"),
            "glb.read_word": _fitted(GLB_WORD_PJ, "5.7 pJ for 16 bits from the GLB", WORD_BYTES),
            "glb.write_word": _fitted(GLB_WORD_PJ, "5.7 pJ for 16 bits to the GLB", WORD_BYTES),
            READ: _fitted(LINK_WORD_PJ / WORD_BYTES, "309 pJ for 16 bits over the link, without the memory behind it"),
        }
    ),
    static=MappingProxyType({"chip.static": StaticPower(STATIC_W, f"{FIT}: 192.6 mW at all times", "recalled", NODE_NM)}),
)
