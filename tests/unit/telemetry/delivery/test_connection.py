"""A connection that is replaced is closed when the last request on it has ended, and not before."""

from pathlib import Path

from ignis_server.telemetry.delivery.connection import CurrentConnection


class Made:
    """Connections by number, and those that were closed."""

    def __init__(self) -> None:
        self.count = 0
        self.closed: list[int] = []

    def make(self) -> int:
        self.count += 1
        return self.count

    async def close(self, number: int) -> None:
        self.closed.append(number)


async def test_one_is_made_and_used_again() -> None:
    made = Made()
    current = CurrentConnection((), made.make, made.close)

    assert (await current.get()).value == (await current.get()).value == 1


async def test_one_that_is_left_lives_until_nothing_is_under_way_on_it() -> None:
    made = Made()
    current = CurrentConnection((), made.make, made.close)
    first = await current.get()

    async with first.in_use():
        async with first.in_use():
            await current.leave(first)
            second = await current.get()
        assert made.closed == []
    assert made.closed == [1]
    assert second.value == 2


async def test_one_that_was_left_already_takes_no_other_with_it() -> None:
    """Requests that fail together on one connection must not each replace the next."""
    made = Made()
    current = CurrentConnection((), made.make, made.close)
    first = await current.get()
    await current.leave(first)
    second = await current.get()

    await current.leave(first)

    assert await current.get() is second
    assert made.closed == [1]


async def test_files_that_change_make_another(tmp_path: Path) -> None:
    made = Made()
    file = tmp_path / "ca.pem"
    current = CurrentConnection((file,), made.make, made.close)
    first = await current.get()
    file.write_text("one")
    second = await current.get()
    file.write_text("another")
    third = await current.get()

    assert [first.value, second.value, third.value] == [1, 2, 3]
    assert await current.get() is third
    assert made.closed == [1, 2]


async def test_the_last_one_is_closed_at_the_end() -> None:
    made = Made()
    current = CurrentConnection((), made.make, made.close)
    await current.aclose()
    await current.get()

    await current.aclose()

    assert made.closed == [1]
