from types import MappingProxyType

import pytest

import hwmodel
import scheduler
from hwmodel import Ledger, Price, PriceError, PriceTable, StaticPower, Task


def table() -> PriceTable:
    """Make a table of two actions and one component."""
    return PriceTable(
        "guesses",
        MappingProxyType({"b.read": Price(2.0, "a guess", "recalled", 45, bytes=2), "a.add": Price(0.5, "one", "read", 45)}),
        MappingProxyType({"clock": StaticPower(1.0, "a guess", "recalled", 45)}),
    )


def ledger_of(**counts) -> Ledger:
    ledger = Ledger()
    for action, count in counts.items():
        ledger.book(action.replace("_", "."), count)
    return ledger


def test_energy_is_count_times_price_in_the_order_of_the_names():
    priced = table().dynamic_pj(ledger_of(b_read=3, a_add=4), "m")
    assert priced == {"a.add": 2.0, "b.read": 6.0}
    assert list(priced) == ["a.add", "b.read"]
    assert table().dynamic_pj(Ledger(), "m") == {}


def test_traffic_is_count_times_the_bytes_of_an_action():
    assert table().onchip_bytes(ledger_of(b_read=3, a_add=4), "m") == 6
    assert table().onchip_bytes(Ledger(), "m") == 0


def test_a_missing_price_is_an_error_that_names_action_and_machine():
    message = (
        "price table 'guesses': machine 'm' booked the action 'c.write', which has no price. "
        "Add it to the table; it prices a.add, b.read."
    )
    for ask in (
        lambda: table().price("c.write", "m"),
        lambda: table().dynamic_pj(ledger_of(c_write=1, a_add=1), "m"),
        lambda: table().onchip_bytes(ledger_of(c_write=1), "m"),
    ):
        with pytest.raises(PriceError) as error:
            ask()
        assert str(error.value) == message


def test_a_machine_that_books_an_action_its_table_lacks_is_told_so():
    """Cnvlutin's ledger at DaDianNao's prices: its dispatcher is in nobody's table."""
    ledger = scheduler.run(hwmodel.load("cnvlutin"), Task.convolution((1, 3), (1, 1, 1))).ledger
    with pytest.raises(PriceError) as error:
        hwmodel.load("dadiannao").prices.dynamic_pj(ledger, "cnvlutin")
    assert str(error.value) == (
        "price table 'chen2014': machine 'cnvlutin' booked the action 'dispatcher.send', which has no price. "
        "Add it to the table; it prices lane.register, nbin.read_word, nbin.write_word, nbout.read_word, nbout.write_word, "
        "nfu.add, nfu.multiply, nfu.operate, nm.read_word, nm.write_word, offchip.read_byte, sb.read_word, tree.broadcast_word."
    )


def test_a_table_with_other_prices_leaves_the_first_alone():
    first = table()
    second = first.with_prices(
        "surer",
        actions={"a.add": Price(0.25, "measured", "run", 45), "c.write": Price(1.0, "measured", "run", 45)},
        static={"clock": StaticPower(3.0, "measured", "run", 45)},
    )
    assert (second.name, first.name) == ("surer", "guesses")
    assert second.price("a.add", "m").pj == 0.25
    assert second.price("b.read", "m") is first.price("b.read", "m")
    assert second.price("c.write", "m").pj == 1.0
    assert second.static["clock"].watts == 3.0
    assert first.price("a.add", "m").pj == 0.5
    assert "c.write" not in first.actions
    assert first.static["clock"].watts == 1.0
    assert first.with_prices("same").actions == first.actions


@pytest.mark.parametrize("name", sorted(hwmodel.machines()))
def test_every_price_of_every_machine_has_a_source_and_says_how_sure_it_is(name):
    prices = hwmodel.load(name).prices
    assert prices.name
    sure = {"read", "run", "computed", "derived", "recalled"}
    for action, price in prices.actions.items():
        assert price.source.strip(), action
        assert price.sure in sure | {"count"}, action
        assert (price.pj == 0) if price.sure == "count" else (price.pj > 0 and price.node_nm > 0), action
        assert price.bytes >= 0, action
    for component, power in prices.static.items():
        assert power.source.strip(), component
        assert power.sure in sure, component
        assert power.watts > 0, component
        assert power.node_nm > 0, component
