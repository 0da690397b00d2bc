"""Which scan answers which request."""

from lucastrad.indexing.scans import Scans


def after_one() -> Scans:
    scans = Scans()
    scans.end(scans.begin())
    return scans


def test_nothing_is_known_before_the_first() -> None:
    scans = Scans()
    assert (scans.wanted, scans.due) == (True, True)
    scans.end(scans.begin())
    assert (scans.wanted, scans.due) == (False, False)


def test_one_that_has_not_begun_answers_all_and_one_that_has_begun_none() -> None:
    scans = after_one()
    first = scans.request()
    assert scans.request() == first
    running = scans.begin()
    later = scans.request()
    scans.end(running)
    assert (scans.is_done(first), scans.is_done(later), scans.due) == (True, False, True)
    scans.end(scans.begin())
    assert (scans.is_done(later), scans.due) == (True, False)


def test_a_routine_one_is_wanted_but_not_due() -> None:
    scans = after_one()
    ticket = scans.request(routine=True)
    assert (scans.wanted, scans.due) == (True, False)
    assert scans.request() == ticket
    assert scans.due


def test_a_routine_one_that_failed_is_due() -> None:
    scans = after_one()
    ticket = scans.request(routine=True)
    scans.begin()
    scans.again()
    assert (scans.is_done(ticket), scans.wanted, scans.due) == (False, True, True)
    scans.end(scans.begin())
    assert (scans.is_done(ticket), scans.wanted, scans.due) == (True, False, False)


def test_after_its_end_another_is_due_whatever_was_done() -> None:
    scans = after_one()
    scans.forget()
    assert (scans.wanted, scans.due) == (True, True)
    ticket = scans.begin()
    scans.forget()
    assert not scans.is_done(ticket)
    assert scans.begin() > ticket
