"""Shorter histories of the invented prices: ten more years triple the time of a test."""

from datetime import date

import pytest

from integrations.simulated import SimulatedSource
from marketdata.sources import History

SINCE = date(2022, 8, 1)  # before the invented splits


def shorten_histories(patch: pytest.MonkeyPatch) -> None:
    """Let invented closes begin later than in an installation."""
    history = SimulatedSource.history

    def short(self: SimulatedSource, ticker: str, start: date) -> History:
        return history(self, ticker, max(start, SINCE))

    patch.setattr(SimulatedSource, "history", short)
