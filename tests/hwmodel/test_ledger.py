from hwmodel import Ledger


def test_counts_add_up():
    ledger = Ledger()
    ledger.book("sb.read_word", 3)
    ledger.book("sb.read_word", 4)
    ledger.book("nfu.multiply", 5)
    assert ledger["sb.read_word"] == 7
    assert ledger["never"] == 0
    assert ledger.as_dict() == {"nfu.multiply": 5, "sb.read_word": 7}
    assert list(ledger.as_dict()) == ["nfu.multiply", "sb.read_word"]


def test_asking_and_booking_nothing_leave_no_trace():
    ledger = Ledger()
    assert ledger["never"] == 0
    ledger.book("sb.read_word", 0)
    assert ledger.as_dict() == {}


def test_ledgers_add_up():
    first, second = Ledger(), Ledger()
    first.book("a.read", 1)
    second.book("a.read", 2)
    second.book("b.read", 3)
    first.add(second)
    assert first.as_dict() == {"a.read": 3, "b.read": 3}
    assert second.as_dict() == {"a.read": 2, "b.read": 3}


def test_executed_macs_are_the_multiplications_of_every_unit():
    ledger = Ledger()
    ledger.book("nfu.multiply", 5)
    ledger.book("crossbar.multiply", 2)
    ledger.book("nfu.add", 100)
    ledger.book("multiply.read", 100)
    assert ledger.executed_macs == 7
