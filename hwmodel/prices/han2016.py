"""Prices of EIE at 45 nm, from its published power breakdown.

Source: S. Han et al., "EIE: Efficient Inference Engine on Compressed Deep Neural Network", ISCA 2016, Table II: a processing
element draws 9.157 mW at 800 MHz, by component (activation queue, pointer read, sparse-matrix read, arithmetic, activation
read and write) and by kind (memory, clock network, registers, logic). A node of the leading-nonzero tree draws 0.023 mW.

The paper does not say which layer that power was taken on. Here it is the eighth layer of AlexNet, which its authors'
simulator comes with: the counts below are those of one run of it, so that this layer costs the published power, and any
other in proportion to what it does. The paper also says that in steady state both memories are read every 8 ticks; with that
in place of this layer's 5.0 and 4.5 a read would cost 1.6 and 1.8 times as much, and this layer would draw 0.8 W.

The clock network is static; it is taken off the components in proportion to their power, since its own share of them is not
published. Leakage is not published either, and stays in the components' prices. A read of another width than 64 bits is taken
to cost in proportion to it: the paper's own figure of it could not be read.
"""

from types import MappingProxyType

from hwmodel.offchip import READ
from hwmodel.prices import horowitz2014
from hwmodel.pricing import Price, PriceTable, StaticPower

NODE_NM = 45
CLOCK_HZ = 800e6
PES = 64
QUEUE_MW, POINTER_MW, MATRIX_MW, ARITHMETIC_MW, ACTIVATION_MW = 0.112, 1.807, 4.955, 1.162, 1.122
CLOCK_MW, PE_MW = 1.874, 9.157
SCAN_NODE_MW, SCAN_NODES = 0.023, 21
MATRIX_BITS = 64

LAYER_TICKS, LAYER_MATRIX_READS, LAYER_COLUMNS = 7_926, 100_900, 112_640
LAYER_MULTIPLIES, LAYER_ACTIVATIONS = 453_748, 4_097
LAYER_ACCESSES = 2 * LAYER_MULTIPLIES + LAYER_ACTIVATIONS  # an accumulator read and written, a source activation scanned

TABLE_II = "EIE, ISCA 2016, Table II"
LAYER = "counts of its simulator on AlexNet's fc8"

pe_ticks = PES * LAYER_TICKS
dynamic_share = 1 - CLOCK_MW / PE_MW


def _pj(milliwatts: float, count: int) -> float:
    """Divide what a component of all elements draws during the layer by how often it did something."""
    return milliwatts * 1e-3 * dynamic_share * pe_ticks / CLOCK_HZ * 1e12 / count


queue_pj = _pj(QUEUE_MW, LAYER_COLUMNS)
pointer_pj = _pj(POINTER_MW, LAYER_COLUMNS)
matrix_pj = _pj(MATRIX_MW, LAYER_MATRIX_READS)
arithmetic_pj = _pj(ARITHMETIC_MW, LAYER_MULTIPLIES)
activation_pj = _pj(ACTIVATION_MW, LAYER_ACCESSES)
scan_pj = SCAN_NODE_MW * 1e-3 / CLOCK_HZ * 1e12


def table(matrix_bits: int = MATRIX_BITS) -> PriceTable:
    """Return the prices with a sparse-matrix memory of some width."""
    name = "han2016" if matrix_bits == MATRIX_BITS else f"han2016, reads of {matrix_bits} bits"

    def of_table_ii(pj: float, component: str, bytes_: float = 0.0) -> Price:
        return Price(pj, f"{TABLE_II}: {component}, less its clock; {LAYER}", "derived", NODE_NM, bytes_)

    return PriceTable(
        name,
        actions=MappingProxyType(
            {
                "queue.pass": of_table_ii(queue_pj, "activation queue 0.112 mW", 4),
                "ptr.read": of_table_ii(pointer_pj, "pointer read 1.807 mW", 4),
                "spmat.read": of_table_ii(
                    matrix_pj * matrix_bits / MATRIX_BITS, "sparse-matrix read 4.955 mW", matrix_bits / 8
                ),
                "arithm.multiply": of_table_ii(arithmetic_pj, "arithmetic unit 1.162 mW"),
                "act.read_word": of_table_ii(activation_pj, "activation read and write 1.122 mW", 2),
                "act.write_word": of_table_ii(activation_pj, "activation read and write 1.122 mW", 2),
                "lnzd.scan": Price(scan_pj, "EIE, ISCA 2016: 0.023 mW a node of the leading-nonzero tree", "read", NODE_NM),
                READ: Price(
                    horowitz2014.DRAM_READ_32_BIT_PJ / 4, "EIE, ISCA 2016, Table I: 640 pJ for 32 bits of DRAM", "read", NODE_NM
                ),
            }
        ),
        static=MappingProxyType(
            {"pe.clock": StaticPower(CLOCK_MW * 1e-3, f"{TABLE_II}: clock network 1.874 mW", "read", NODE_NM)}
        ),
    )


TABLE = table()
