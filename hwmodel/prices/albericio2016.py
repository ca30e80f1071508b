"""Prices of a Cnvlutin node: DaDianNao's, with what zero-skipping adds.

Source: J. Albericio et al., "Cnvlutin: Ineffectual-Neuron-Free Deep Neural Network Computing", ISCA 2016, publishes only
ratios. A neuron travels with a 4-bit offset, so its words are 20 bits wide instead of 16; the neuron memory becomes 16
banks of 320 KB. Encoder and dispatcher are priced from a third party's 45 nm synthesis of Cnvlutin's blocks (low trust:
it multiplies a power by a count), as their power over the clock of the node.
"""

from hwmodel.prices import chen2014
from hwmodel.pricing import COUNT, Price, StaticPower

OFFSET_BITS, NEURON_BITS, BANKS = 4, 16, 16
WIDER = (NEURON_BITS + OFFSET_BITS) / NEURON_BITS
BANK_READ_256_PJ, BANK_WRITE_256_PJ = 17.1, 18.2
BANK_LEAKAGE_W = 0.0087
ENCODER_W, ENCODER_LEAKAGE_W, ENCODERS = 0.581e-3, 63e-6, 16
DISPATCHER_W, DISPATCHER_LEAKAGE_W = 7.67e-3, 0.51e-3

SYNTHESIS = "a third party's 45 nm synthesis (low trust)"
NODE_NM, BYTES = chen2014.NODE_NM, 2 * WIDER


def _wider(action: str) -> Price:
    price = chen2014.TABLE.actions[action]
    return Price(
        price.pj * WIDER, f"{price.source}; 20 bits a neuron instead of 16", "derived", price.node_nm, price.bytes * WIDER
    )


TABLE = chen2014.TABLE.with_prices(
    "albericio2016",
    actions={
        "nbin.read_neuron": _wider("nbin.read_word"),
        "nbin.write_neuron": _wider("nbin.write_word"),
        "tree.broadcast_neuron": _wider("tree.broadcast_word"),
        "nm.read_neuron": Price(
            BANK_READ_256_PJ * WIDER / 16, "DESTINY, 32 nm: 256 KB eDRAM, 256 bits, 17.1 pJ", "derived", 32, BYTES
        ),
        "nm.write_neuron": Price(
            BANK_WRITE_256_PJ * WIDER / 16, "DESTINY, 32 nm: 256 KB eDRAM, 256 bits, 18.2 pJ", "derived", 32, BYTES
        ),
        "encoder.encode": Price(ENCODER_W / chen2014.CLOCK_HZ * 1e12, f"{SYNTHESIS}: 0.581 mW", "derived", 45),
        "dispatcher.send": Price(
            DISPATCHER_W / chen2014.CLOCK_HZ * 1e12 / 16, f"{SYNTHESIS}: 7.67 mW for 16 lanes", "derived", 45
        ),
        "encoder.window": COUNT,
        "encoder.late_window": COUNT,
    },
    static={
        "central.leakage": StaticPower(
            BANKS * BANK_LEAKAGE_W, "CACTI 7, 32 nm, 350 K: 16 banks of 320 KB eDRAM, 8.7 mW each", "run", 32
        ),
        "central.added_logic": StaticPower(
            ENCODERS * ENCODER_LEAKAGE_W + DISPATCHER_LEAKAGE_W, f"{SYNTHESIS}: encoders and dispatcher", "derived", 45
        ),
    },
)
