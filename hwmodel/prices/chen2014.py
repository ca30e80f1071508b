"""Prices of a DaDianNao node at 28 nm, from its published power breakdown.

Source: Y. Chen et al., "DaDianNao: A Machine-Learning Supercomputer", MICRO 2014, Table VI (recalled; both of its splits
add up to the chip's 15.97 W). Its tiles draw 6.15 W, its central block 1.80 W and its wires 0.01 W at 606 MHz when all of
it works: 7.96 W without the HyperTransport links.

The arithmetic below divides that power. What the circuit literature prices gets a price of its own: eDRAM and SRAM words,
multiplies, adds, leakage. The clock network's 0.71 W is divided between tiles and central block as their power is (the
share of the links is not published, so none is taken off). What remains of a tile are its pipeline registers and control,
booked for each lane and tick at which it works; what remains of the central block is the transport of neurons over the
fat tree, booked for each neuron. A node that works fully thus comes to the published power, and one that does less does
so in proportion to what it does. Every word is 16 bits; a wider access is priced as so many words.
"""

from types import MappingProxyType

from hwmodel.offchip import READ
from hwmodel.prices import horowitz2014
from hwmodel.pricing import Price, PriceTable, StaticPower

NODE_NM = 28
CLOCK_HZ = 606e6
TILES, LANES, FILTERS_PER_TILE = 16, 16, 16
TILES_W, CENTRAL_W, WIRES_W, CLOCK_NETWORK_W = 6.15, 1.80, 0.01, 0.71
NODE_W = TILES_W + CENTRAL_W + WIRES_W

SB_READ_256_PJ = 19.2
BUFFER_READ_256_PJ, BUFFER_WRITE_256_PJ = 4.64, 6.32
CENTRAL_READ_256_PJ, CENTRAL_WRITE_256_PJ = 115.0, 116.0
SB_LEAKAGE_W, CENTRAL_LEAKAGE_W = 0.0386, 0.068
WORDS = 16  # 16-bit words in an access of 256 bits
TO_28_NM = NODE_NM / horowitz2014.NODE_NM  # energy taken as proportional to feature size

TABLE_VI = "DaDianNao, MICRO 2014, Table VI"
CACTI = "CACTI 7, 32 nm, 350 K"
DESTINY = "DESTINY, 32 nm"

multiply_pj = horowitz2014.MULTIPLY_16_BIT_PJ * TO_28_NM
add_pj = horowitz2014.ADD_16_BIT_PJ * TO_28_NM

tile_clock_w = CLOCK_NETWORK_W * TILES_W / (TILES_W + CENTRAL_W) / TILES
central_clock_w = CLOCK_NETWORK_W * CENTRAL_W / (TILES_W + CENTRAL_W)
tile_dynamic_pj = (TILES_W / TILES - tile_clock_w - SB_LEAKAGE_W) / CLOCK_HZ * 1e12
priced_of_tile_pj = (
    LANES * SB_READ_256_PJ
    + LANES * FILTERS_PER_TILE * (multiply_pj + add_pj)
    + 2 * (BUFFER_READ_256_PJ + BUFFER_WRITE_256_PJ)  # NBin and NBout, 256 bits each way
)
register_pj = (tile_dynamic_pj - priced_of_tile_pj) / LANES
central_dynamic_pj = (CENTRAL_W + WIRES_W - central_clock_w - CENTRAL_LEAKAGE_W) / CLOCK_HZ * 1e12
broadcast_pj = (central_dynamic_pj - CENTRAL_READ_256_PJ) / WORDS

TABLE = PriceTable(
    "chen2014",
    actions=MappingProxyType(
        {
            "sb.read_word": Price(
                SB_READ_256_PJ / WORDS, "DaDianNao, MICRO 2014: 19.2 pJ for 256 bits of eDRAM", "recalled", NODE_NM, 2
            ),
            "nbin.read_word": Price(BUFFER_READ_256_PJ / WORDS, f"{CACTI}: 2 KB, 256 bits, 4.64 pJ", "run", 32, 2),
            "nbin.write_word": Price(BUFFER_WRITE_256_PJ / WORDS, f"{CACTI}: 2 KB, 256 bits, 6.32 pJ", "run", 32, 2),
            "nbout.read_word": Price(BUFFER_READ_256_PJ / WORDS, f"{CACTI}: 2 KB, 256 bits, 4.64 pJ", "run", 32, 2),
            "nbout.write_word": Price(BUFFER_WRITE_256_PJ / WORDS, f"{CACTI}: 2 KB, 256 bits, 6.32 pJ", "run", 32, 2),
            "nm.read_word": Price(CENTRAL_READ_256_PJ / WORDS, f"{DESTINY}: 4 MB eDRAM, 256 bits, 115 pJ", "run", 32, 2),
            "nm.write_word": Price(CENTRAL_WRITE_256_PJ / WORDS, f"{DESTINY}: 4 MB eDRAM, 256 bits, 116 pJ", "run", 32, 2),
            "nfu.multiply": Price(multiply_pj, "dnn-sim: 0.8 pJ at 45 nm, scaled to 28 nm", "derived", NODE_NM),
            "nfu.add": Price(add_pj, "dnn-sim: 0.06 pJ at 45 nm, scaled to 28 nm", "derived", NODE_NM),
            "nfu.operate": Price(
                multiply_pj + add_pj,
                "dnn-sim, scaled to 28 nm: a 16-bit multiply and an add",
                "derived",
                NODE_NM,
            ),
            "lane.register": Price(register_pj, f"{TABLE_VI}: what remains of a tile's power", "recalled", NODE_NM),
            "tree.broadcast_word": Price(
                broadcast_pj, f"{TABLE_VI}: what remains of the central block's power", "recalled", NODE_NM
            ),
            READ: Price(horowitz2014.DRAM_READ_32_BIT_PJ / 4, "Horowitz, ISSCC 2014: 640 pJ for 32 bits of DRAM", "read", 45),
        }
    ),
    static=MappingProxyType(
        {
            "tile.clock": StaticPower(tile_clock_w, f"{TABLE_VI}: clock network 0.71 W, by power", "recalled", NODE_NM),
            "tile.leakage": StaticPower(SB_LEAKAGE_W, f"{CACTI}: 2 MB eDRAM, 38.6 mW", "run", 32),
            "central.clock": StaticPower(central_clock_w, f"{TABLE_VI}: clock network 0.71 W, by power", "recalled", NODE_NM),
            "central.leakage": StaticPower(CENTRAL_LEAKAGE_W, f"{CACTI}: 4 MB eDRAM, 68 mW", "run", 32),
        }
    ),
)
