"""What a request about a period reads before it calculates anything."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

from msgspec import Struct

from financeproj.core.db.rows import pks_of
from financeproj.core.errors import NotFound
from marketdata import series
from marketdata import services as marketdata
from marketdata.calc.rates import Pair
from marketdata.models import StockMetadata
from marketdata.weekends import any_trades_on_weekends
from portfolios.calc.timeline import Interval
from portfolios.models import Portfolio
from portfolios.reports.benchmark import Benchmark, ReturnKind, stocks_of
from portfolios.reports.figures import Figures, figures_of, figures_of_all
from portfolios.reports.histories import Histories, PortfolioHistory, read_histories
from portfolios.reports.periods import Period, period_of

Grouping: TypeAlias = Literal["all", "portfolio"]


class ReportQuery(Struct, frozen=True):
    """What a request about a period asks for; None and the defaults stand for what it left out."""

    start: date | None = None
    end: date | None = None
    interval: Interval = "day"
    by: Grouping = "all"
    benchmarks: tuple[Benchmark, ...] = ()
    benchmark_return: ReturnKind = "total"
    include_cash: bool = False

    @property
    def benchmark_stocks(self) -> list[StockMetadata]:
        """The benchmarks that can be had."""
        return stocks_of(self.benchmarks)


@dataclass(frozen=True, slots=True)
class Scope:
    """The portfolios that a report covers, and the currency of its figures."""

    portfolios: Sequence[Portfolio]
    currency: str
    covers_all: bool

    def read_histories(self, query: ReportQuery) -> Histories:
        """Read the histories of the portfolios for figures in the currency."""
        return read_histories(self.portfolios, currency=self.currency, with_cash=query.include_cash)

    def read_again(self) -> "Scope":
        """Return the same portfolios as they are stored now."""
        ids = pks_of(self.portfolios)
        portfolios = list(Portfolio.objects.filter(pk__in=ids))
        return Scope(portfolios, self.currency, self.covers_all)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the figures of a period are calculated from.

    `fingerprint` changes whenever a figure can change.
    """

    query: ReportQuery
    histories: Sequence[PortfolioHistory]
    currency: str
    covers_all: bool
    period: Period
    fingerprint: str

    @property
    def history(self) -> PortfolioHistory:
        """The portfolio of a report about one."""
        return self.histories[0]

    @property
    def without_cash(self) -> list[str]:
        """The names of the portfolios that count with their securities alone, if cash is asked."""
        if not self.query.include_cash:
            return []
        return [history.portfolio.name for history in self.histories if history.money is None]

    def figures(self) -> Figures:
        """Calculate the daily figures of everything that the report covers."""
        if self.covers_all:
            return figures_of_all(self.histories, self.currency, self.period)
        return figures_of(self.history, self.period)

    def includes_weekends(self) -> bool:
        """Return whether something held in the period trades on weekends."""
        start, end = self.period.start, self.period.end
        versions = {}
        for history in self.histories:
            for index in history.vector.held_between(start, end):
                instrument = history.instruments[index]
                if instrument.is_coin:
                    return True
                versions[instrument.stock_id] = instrument.version
        return any_trades_on_weekends(versions, start, end)


def prepare_report(
    scope: Scope,
    query: ReportQuery,
    *,
    first_on: date | None = None,
    extra_pairs: Iterable[Pair] = (),
    extra_versions: object = None,
) -> Report:
    """Read what a report needs, and fetch what was never fetched, within the time limit.

    A caller that adds to the portfolios gives `first_on`, where the period begins if there are no
    transactions; `extra_pairs`, which are fetched too; and `extra_versions`, which become part of
    the fingerprint. Raises NotFound when the only portfolio was deleted meanwhile.
    """
    histories = _complete_histories(scope, query)
    if not scope.covers_all and not histories.of_each:
        raise NotFound("The portfolio was deleted.")
    period = period_of(
        start=query.start,
        end=query.end,
        first_on=histories.first_on or first_on,
        ended_on=histories.ended_on,
    )
    pairs = histories.pairs_into(scope.currency)
    pairs.update(extra_pairs)
    benchmark_ids = []
    for stock in query.benchmark_stocks:
        benchmark_ids.append(stock.pk)
        pairs.add((stock.currency, scope.currency))
    refused = [one.reason for one in query.benchmarks]
    names = [portfolio.name for portfolio in scope.portfolios] if query.include_cash else []
    marketdata.ensure_rates(pairs=pairs)
    market = series.fingerprint(stock_ids=benchmark_ids, pairs=pairs)
    return Report(
        query=query,
        histories=histories.of_each,
        currency=scope.currency,
        covers_all=scope.covers_all,
        period=period,
        fingerprint=repr((scope.currency, histories.stamp, market, refused, names, extra_versions)),
    )


def _complete_histories(scope: Scope, query: ReportQuery) -> Histories:
    """Read the histories, after closes that were never fetched are."""
    histories = scope.read_histories(query)
    stock_ids = histories.stock_ids_without_closes()
    stock_ids.update(pks_of(query.benchmark_stocks))
    if not stock_ids:
        return histories
    marketdata.ensure_history(stock_ids=stock_ids)
    # A split that came with the closes changes the versions of portfolios.
    return scope.read_again().read_histories(query)
