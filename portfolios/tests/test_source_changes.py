"""Test that quantities follow from what a source says last, whatever it said before.

A made-up source moves, corrects, withdraws, repeats and omits splits, dividends and closes, while
the user records, edits and deletes. In the end the holding has the shares that a holding has which
heard only the source's last word.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
import time_machine
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from financeproj.users.models import User
from marketdata.models import HeldBack
from marketdata.services import record_history
from marketdata.sources import History, InstrumentInfo
from marketdata.tests.factories import instrument
from portfolios import services
from portfolios.models import Holding, Transaction, TransactionSource
from portfolios.services.held_back import answer_held_back
from portfolios.services.ledger_check import contradicted_holdings
from portfolios.tests.conftest import trade

pytestmark = pytest.mark.untraced
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
FIRST = date(2024, 1, 2)
# Far enough apart that no two are taken for one.
SPLIT_DAYS = (date(2024, 3, 4), date(2024, 5, 6), date(2024, 8, 5))
DIVIDEND_DAYS = (date(2024, 2, 5), date(2024, 6, 3))
RATIOS = ("2", "3", "0.5", "0.1", "1.25", "1.281", "20000")
CLOSE_DAYS = [FIRST + timedelta(days=28 * month) for month in range(13)]

offsets = st.integers(-2, 2)
# What the source says of each split: how far it stands from its day, and its ratio; None: nothing.
spoken = st.none() | st.tuples(offsets, st.sampled_from(RATIOS))
answers = st.tuples(spoken, spoken, spoken)
# Which closes the source leaves out, and which one it says in pence.
slips = st.tuples(
    st.frozensets(st.integers(0, len(CLOSE_DAYS) - 1), max_size=6),
    st.none() | st.integers(0, len(CLOSE_DAYS) - 1),
)
# Which splits the closes show: those that the source says with them, those it says last, or none.
SAID, LAST, NONE = "said", "last", "none"
NO_SLIPS: tuple[frozenset[int], None] = (frozenset(), None)
NOTHING = (None, None, None)
acts = st.one_of(
    st.tuples(st.just("says"), st.tuples(answers, slips)),
    st.tuples(st.just("next day"), st.none()),
    st.tuples(st.just("buys"), st.integers(0, 300)),
    st.tuples(st.just("edits"), st.integers(1, 40)),
    st.tuples(st.just("deletes the last"), st.none()),
)


def closes_as_traded(splits, omitted, slipped):
    """Return closes that show every split that is one, and stand at 100 in the end, as a source
    undoes them; `slipped` is the number of one in pence.
    """
    closes = []
    for number, day in enumerate(CLOSE_DAYS):
        close = D(100)
        for split_day, ratio in splits:
            if split_day > day and ratio < 10_000:
                close *= ratio
        if number == slipped:
            close *= 100
        if number not in omitted:
            closes.append((day, close))
    return closes


def splits_in(answer, shift=0):
    splits = []
    for day, one in zip(SPLIT_DAYS, answer, strict=True):
        if one is not None:
            splits.append((day + timedelta(days=one[0] + shift), D(one[1])))
    return splits


def say(stock, answer, *, truth, shift=0, slips=NO_SLIPS):
    """Let the source say its whole history: `answer` has a word about each split.

    Its closes show the splits of `truth`.
    """
    splits, dividends = splits_in(answer, shift), []
    for day, one in zip(DIVIDEND_DAYS, answer, strict=False):
        if one is not None:
            dividends.append((day + timedelta(days=one[0]), D("0.5")))
    info = InstrumentInfo(ticker=stock.ticker, currency="USD")
    closes = closes_as_traded(splits_in(truth), *slips)
    history = History(info=info, closes=closes, splits=splits, dividends=dividends, is_whole=True)
    record_history(stock=stock, answer=history, source="yahoo", full=True)


def booked(stock):
    rows = Transaction.objects.filter(holding__stock=stock, source=TransactionSource.MARKET_DATA)
    return list(rows.order_by("date").values_list("date", "quantity"))


def state_of(stock):
    """Return all that must not depend on what the source said before."""
    holding = Holding.objects.get(stock=stock)
    splits = stock.splits.order_by("date").values_list("date", "ratio")
    dividends = stock.dividends.order_by("date").values_list("date", "amount")
    waiting = sorted(holding.waiting_splits.values())
    return holding.current_quantity, booked(stock), waiting, list(splits), list(dividends)


def answer_by_hand(stock, how, day):
    """Let the user delete the booked split of `day`, or dismiss what is said of it."""
    if how == "deletes":
        row = Transaction.objects.get(holding__stock=stock, type="split", date=day)
        services.delete_transaction(row=row)
    else:
        row = HeldBack.objects.get(stock=stock, kind="split", state="believed", date=day)
        answer_held_back(user=stock.holdings.get().portfolio.user, row=row, accept=False)


def play(user, history, last, truth, ends):
    portfolio = services.create_portfolio(user=user, name="Mine", currency="USD")
    heard, fresh = instrument("HEARD"), instrument("FRESH")
    held = [trade(portfolio, heard, "buy", "40", "10", on=FIRST)]
    with time_machine.travel(NOW, tick=False) as clock:
        for act, what in history:
            if act == "says":
                answer, slipped = what
                if truth == SAID:
                    say(heard, answer, truth=answer, slips=slipped)
                elif truth == LAST:
                    say(heard, answer, truth=last, slips=slipped)
                else:
                    say(heard, answer, truth=NOTHING)
            elif act == "next day":
                clock.shift(timedelta(days=1))
            elif act == "buys":
                on = FIRST + timedelta(days=what)
                held.append(trade(portfolio, heard, "buy", "8", "10", on=on))
            elif act == "edits":
                held[-1] = services.update_transaction(row=held[-1], quantity=D(what))
            elif len(held) > 1:
                services.delete_transaction(row=held.pop())
        for row in held:
            trade(portfolio, fresh, "buy", str(row.quantity), "10", on=row.date)
        # On three days, so that what is gone is withdrawn.
        of_the_end = NOTHING if truth == NONE else last
        for _ in range(3):
            clock.shift(timedelta(days=1))
            for stock in (heard, fresh):
                say(stock, last, truth=of_the_end)
        assert state_of(heard) == state_of(fresh)
        if ends != "leaves it" and booked(heard):
            for stock in (heard, fresh):
                day, _ratio = booked(stock)[0]
                answer_by_hand(stock, ends, day)
                say(stock, last, truth=of_the_end, shift=1)
                assert day + timedelta(days=1) not in dict(booked(stock))
            assert state_of(heard) == state_of(fresh)
    assert list(contradicted_holdings()) == []
    assert not HeldBack.objects.filter(state="held_back", reason="").exists()


@pytest.mark.django_db
@settings(max_examples=20, deadline=None)
@given(
    history=st.lists(acts, max_size=12),
    last=answers,
    truth=st.sampled_from((SAID, LAST, NONE)),
    ends=st.sampled_from(("leaves it", "deletes", "dismisses")),
)
def test_quantities_follow_from_the_last_word_of_the_source(history, last, truth, ends):
    with transaction.atomic():
        user = User.objects.create_user("kari", password="a long phrase of words")
        play(user, history, last, truth, ends)
        transaction.set_rollback(True)
