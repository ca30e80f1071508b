import pytest

from scheduler import ReadyQueue


def queue_of(*entries) -> ReadyQueue[str]:
    """Push entries of (tick, priority, item)."""
    queue: ReadyQueue[str] = ReadyQueue()
    for tick, priority, item in entries:
        queue.push(tick, priority, item)
    return queue


def emptied(queue) -> list[str]:
    return [queue.pop() for _ in range(len(queue))]


def test_the_earliest_tick_comes_first():
    assert emptied(queue_of((5, 0, "late"), (3, 9, "early"), (4, 0, "middle"))) == ["early", "middle", "late"]


def test_at_one_tick_the_lowest_priority_number_comes_first():
    assert emptied(queue_of((5, 2, "low"), (5, -1, "urgent"), (5, 0, "high"))) == ["urgent", "high", "low"]


def test_at_one_tick_and_priority_the_first_come_is_first():
    assert emptied(queue_of((5, 0, "z"), (5, 0, "a"), (5, 0, "m"))) == ["z", "a", "m"]


def test_items_need_no_order_of_their_own():
    queue: ReadyQueue[object] = ReadyQueue()
    things = [object(), {"not": "orderable"}, object()]
    for thing in things:
        queue.push(1, 1, thing)
    assert [queue.pop() for _ in things] == things


def test_only_what_is_due_is_popped():
    queue = queue_of((5, 0, "later"), (3, 0, "now"))
    assert queue.pop_due(2) is None
    assert queue.pop_due(3) == "now"
    assert queue.pop_due(4) is None
    assert queue.pop_due(9) == "later"
    assert queue.pop_due(9) is None


def test_an_empty_queue_has_nothing_to_pop():
    queue = queue_of()
    assert len(queue) == 0
    assert not queue
    with pytest.raises(IndexError):
        queue.pop()


def test_items_are_listed_in_their_order():
    queue = queue_of((2, 0, "b"), (1, 0, "a"), (2, -1, "c"))
    assert queue.items() == ["a", "c", "b"]
    assert len(queue) == 3


def test_an_item_is_removed_wherever_it_stands():
    queue = queue_of((1, 0, "a"), (2, 0, "b"), (3, 0, "c"))
    queue.remove("b")
    assert queue.items() == ["a", "c"]
    queue.check()


def test_an_equal_item_is_not_the_item():
    first, second = [1], [1]
    queue: ReadyQueue[list[int]] = ReadyQueue()
    queue.push(1, 0, first)
    queue.push(2, 0, second)
    queue.remove(second)
    assert queue.pop() is first


def test_an_item_that_is_not_there_cannot_be_removed():
    with pytest.raises(ValueError, match="removed twice") as error:
        queue_of((1, 0, "a")).remove("removed twice")
    assert str(error.value) == "ReadyQueue.remove: 'removed twice' is not in the queue, expected an item that was pushed."


def test_a_removed_items_place_in_the_sequence_is_not_given_again():
    queue = queue_of((1, 0, "a"), (1, 0, "b"))
    queue.remove("b")
    queue.push(1, 0, "c")
    queue.push(1, 0, "d")
    assert emptied(queue) == ["a", "c", "d"]


def test_check_notices_a_sequence_number_used_twice():
    queue = queue_of((1, 0, "a"))
    queue._sequence = 0
    queue.push(1, 1, "b")
    with pytest.raises(AssertionError):
        queue.check()


def test_check_notices_a_sequence_number_from_the_future():
    queue = queue_of((1, 0, "a"), (2, 0, "b"))
    queue._sequence = 1
    with pytest.raises(AssertionError):
        queue.check()
