"""DEGIRO's account statement: corporate actions, which move shares without an order.

Each is written as sales and purchases of one day with the name of the action before them, such as
`FUSIE: Verkoop 4 @ 20 EUR`. What they are follows from which instruments leave and which come; the
names are read only where that leaves something open.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from financeproj.core.money import ZERO
from integrations.statements.amounts import divide
from integrations.statements.degiro_file import File, identity_of
from integrations.statements.degiro_orders import Order, change_or_zero
from integrations.statements.degiro_trades import add_trade, traded_figures
from integrations.statements.degiro_words import VERBS
from integrations.statements.raw_rows import BadRow, RawRow, bad_row
from portfolios.calc.import_rows import gettext_noop as _

# The names of actions, folded: Dutch, English, German, French, Italian, Spanish, Portuguese, Polish
# and Czech.
SPLIT = re.compile(
    r"split|splits|frazionamento|raggruppamento|division|divisao|desdobr|desdobl|agrup|regroupement|"
    r"stepeni|zusammenlegung|samenvoeging|podzial|scalenie"
)
FREE_SHARES = re.compile(
    r"(stock|scrip|aktien|keuze|optional|optie)[ -]?divid|bonus|gratis|"
    r"divid\w{0,10} (in aandelen|in aktien|en actions|in azioni|en acciones|em acoes|w akcjach)"
)
GRANTED = re.compile(
    r"spin[ -]?off|abspaltung|afsplitsing|scission|scissione|escision|cisao|demerger|odstepeni|"
    r"wydzielenie|claim|rights?\b|bezugsrecht|\bdroits?\b|diritt[oi]|derechos?|direitos?|rechten|"
    r"warrant|prawa poboru"
)
SUBSCRIBED = re.compile(
    r"emissi|emision|subscri|suscripcion|souscription|sottoscrizione|inschrijv|zeichnung|\bipo\b|"
    r"exerci|ausubung|uitoefen|esercizio|ejercicio|warrant"
)
# Of these there is always another row, with the other shares.
OF_TWO_ROWS = re.compile(
    r"\bisin\b|product ?(wijziging|change)|produktwechsel|(changement|cambio|alteracao) \w{0,3} ?"
    r"(de |di )?produ[a-z]{1,4}|zmiana produktu|zmena produktu|name change|naamswijziging"
)
MAX_LABEL = 100
UNPAIRED_ACTION = _(
    "%(action)s needs a sale and a purchase of one ISIN on one day. Enter by hand what happened "
    "and skip this row."
)


@dataclass(slots=True)
class _Action:
    """The rows of one action: by ISIN what leaves, what comes, and what does both."""

    rows: list[RawRow] = field(default_factory=list)
    sold: dict[str, list[RawRow]] = field(default_factory=lambda: defaultdict(list))
    bought: dict[str, list[RawRow]] = field(default_factory=lambda: defaultdict(list))

    def add(self, raw: RawRow, side: str) -> None:
        self.rows.append(raw)
        (self.sold if side == "sell" else self.bought)[raw["isin"]].append(raw)

    @property
    def both(self) -> list[str]:
        return [isin for isin in self.sold if isin in self.bought]

    @property
    def leaves(self) -> list[str]:
        return [isin for isin in self.sold if isin not in self.bought]

    @property
    def comes(self) -> list[str]:
        return [isin for isin in self.bought if isin not in self.sold]

    @property
    def is_one_exchange(self) -> bool:
        return len(self.leaves) == 1 and bool(self.comes) and not self.both

    @property
    def is_spin_off(self) -> bool:
        return len(self.both) == 1 and bool(self.comes) and not self.leaves

    @property
    def is_plain(self) -> bool:
        """Whether each instrument stands for itself."""
        return not (self.leaves and self.comes) and not (self.both and self.comes)

    @property
    def name(self) -> str:
        """What tells it from others of the day: the ISIN that leaves, or whose cost moves."""
        return (self.leaves or self.both)[0]

    def value_of(self, isin: str) -> Decimal:
        return abs(sum(map(change_or_zero, self.bought[isin]), ZERO))

    def part_of(self, value: Decimal) -> Decimal | None:
        """Return the part of the cost that something of `value` takes, by the file's own prices;
        None where one of them is missing, or where there is nothing to divide.
        """
        kept = sum(map(self.value_of, self.both), ZERO)
        values = [*map(self.value_of, self.comes)] + ([kept] if self.both else [])
        cash = max(self.cash, ZERO)
        if not all(values) or (len(values) == 1 and not cash):
            return None
        return divide(value, sum(values, cash))

    @property
    def currencies(self) -> set[str]:
        return {raw["currency"] for raw in self.rows if raw["change"]}

    @property
    def cash(self) -> Decimal:
        return sum(map(change_or_zero, self.rows), ZERO)


class Actions:
    """The corporate actions of a file, by the lines of their rows."""

    def __init__(self, file: File) -> None:
        self.file = file
        self._of_line: dict[int, _Action] = {}
        self._days_with_new_shares: set[str] = set()
        by_name: dict[tuple[str, str], list[RawRow]] = defaultdict(list)
        for raw in file.sheet:
            match = file.trades.get(raw.line)
            if match and match["prefix"] and raw.line not in file.reversed:
                by_name[raw["date"], match["prefix"]].append(raw)
                if VERBS[match["verb"]] == "buy" and not GRANTED.search(match["prefix"]):
                    self._days_with_new_shares.add(raw["date"])
        for rows in by_name.values():
            for action in self._divided(rows):
                self._of_line |= {raw.line: action for raw in action.rows}

    def _action(self, rows: Sequence[RawRow]) -> _Action:
        action = _Action()
        for raw in rows:
            action.add(raw, VERBS[self.file.trades[raw.line]["verb"]])
        return action

    def _divided(self, rows: Sequence[RawRow]) -> list[_Action]:
        """Divide the rows of one day and name into actions: by time, or by the number of shares,
        where several companies did the same.
        """
        whole = self._action(rows)
        if whole.is_plain or whole.is_one_exchange or whole.is_spin_off:
            return [whole]
        for part in (self._time, self._quantity):
            parts: dict[object, list[RawRow]] = defaultdict(list)
            for raw in rows:
                parts[part(raw)].append(raw)
            actions = [self._action(some) for some in parts.values()]
            if all(one.is_one_exchange or one.is_spin_off for one in actions):
                return actions
        return [whole]

    def _time(self, raw: RawRow) -> object:
        return raw["time"]

    def _quantity(self, raw: RawRow) -> object:
        try:
            return traded_figures(raw, self.file.trades[raw.line])[0]
        except BadRow:
            return None  # It is the error of its own row.

    def add(self, raw: RawRow, match: re.Match[str]) -> None:
        """Add shares that were added or removed without an order."""
        action, name = self._of_line[raw.line], match["prefix"]
        side = VERBS[match["verb"]]
        isin = raw["isin"]
        if isin in action.both and action.is_plain:
            self._add_pair(raw, name, action.sold[isin], action.bought[isin])
        elif action.is_spin_off:
            self._add_spun_off(raw, match, action)
        elif action.is_one_exchange:
            self._add_leg(raw, match, action)
        elif action.is_plain and self._stands_alone(raw, name, side):
            # Shares that are taken for cash alone or are worth nothing any more, or that come for
            # money or for nothing.
            add_trade(self.file, raw, match, Order())
        elif action.is_plain and side == "buy" and GRANTED.search(name):
            self._add_granted(raw, match)
        else:
            raise _unpaired(raw)

    def _stands_alone(self, raw: RawRow, name: str, side: str) -> bool:
        if OF_TWO_ROWS.search(name) or SPLIT.search(name):
            return False
        if side == "sell":
            return not change_or_zero(raw) or raw["date"] not in self._days_with_new_shares
        is_paid = bool(change_or_zero(raw)) and bool(
            SUBSCRIBED.search(name) or GRANTED.search(name)
        )
        return is_paid or FREE_SHARES.search(name) is not None

    def _add_granted(self, raw: RawRow, match: re.Match[str]) -> None:
        """Add rights, or shares of a company that was split off from one that is not named."""
        quantity, _price, currency = traded_figures(raw, match)
        self.file.sheet.add(
            raw, type="exchange_in", quantity=quantity, currency=currency, **identity_of(raw)
        )

    def _add_leg(self, raw: RawRow, match: re.Match[str], action: _Action) -> None:
        """Add a leg of the exchange of shares into those of other ISINs.

        What all rows together leave in cash goes with the shares that go out.
        """
        quantity, _price, currency = self._all_of(raw, action)
        if quantity is None:
            return
        is_sale = raw["isin"] in action.sold
        is_exercise = action.cash < 0 and GRANTED.search(match["prefix"])
        value = max(action.cash, ZERO) if is_sale else action.value_of(raw["isin"])
        self.file.sheet.add(
            raw,
            type="exchange_out" if is_sale else "exchange_in",
            quantity=quantity,
            currency=currency,
            cost_share=action.part_of(value) if value else None,
            **(self._cash(raw, action) if is_sale else {}),
            **_group(raw, action, "exercise" if is_exercise else "exchange"),
            **identity_of(raw),
        )

    def _all_of(self, raw: RawRow, action: _Action) -> tuple[Decimal | None, Decimal, str]:
        """Return what moves of the instrument of a row; None if a row before has said it."""
        rows = [*action.sold.get(raw["isin"], ()), *action.bought.get(raw["isin"], ())]
        figures = [traded_figures(one, self.file.trades[one.line]) for one in rows]
        _quantity, price, currency = figures[0]
        if rows[0].line != raw.line:
            self.file.sheet.ignore(raw, "part of a corporate action")
            return None, price, currency
        return sum((figure[0] for figure in figures), ZERO), price, currency

    def _add_spun_off(self, raw: RawRow, match: re.Match[str], action: _Action) -> None:
        """Add a spin-off: the parent's shares leave and come back, others come with them."""
        isin = raw["isin"]
        if isin in action.comes:
            quantity, _price, currency = self._all_of(raw, action)
            if quantity is not None:
                self.file.sheet.add(
                    raw,
                    type="exchange_in",
                    quantity=quantity,
                    currency=currency,
                    cost_share=action.part_of(action.value_of(isin)),
                    **_group(raw, action, "spin_off"),
                    **identity_of(raw),
                )
            return
        sold, bought = self._moved(action.sold[isin]), self._moved(action.bought[isin])
        if sold != bought or action.cash < 0:
            raise _unpaired(raw)
        if action.sold[isin][0].line != raw.line:
            self.file.sheet.ignore(raw, match["prefix"])
            return
        self.file.sheet.add(
            raw,
            type="exchange_out",
            quantity=ZERO,
            **self._cash(raw, action),
            **_group(raw, action, "spin_off"),
            **identity_of(raw),
        )

    def _moved(self, rows: Sequence[RawRow]) -> Decimal:
        figures = [traded_figures(raw, self.file.trades[raw.line])[0] for raw in rows]
        return sum(figures, ZERO)

    def _cash(self, raw: RawRow, action: _Action) -> dict[str, Any]:
        if not action.cash:
            return {}
        if len(action.currencies) > 1:
            raise _unpaired(raw)
        return {"settlement_amount": action.cash, "settlement_currency": raw["currency"]}

    def _add_pair(
        self, raw: RawRow, name: str, sold: Sequence[RawRow], bought: Sequence[RawRow]
    ) -> None:
        """Add a split, which is a sale and a purchase; the same shares under another name are
        ignored.

        What the rows leave in cash is rounding.
        """
        sheet = self.file.sheet
        old, new = self._moved(sold), self._moved(bought)
        is_last = raw.line == bought[-1].line
        if old == new:
            sheet.ignore(raw, name)
        elif not is_last:
            sheet.ignore(raw, "split: shares taken out")
        elif not old or not SPLIT.search(name):
            raise sheet.unknown_type("description", raw["description"])
        else:
            sheet.add(raw, type="split", quantity=divide(new, old), **identity_of(raw))
        net = sum(map(change_or_zero, [*sold, *bought]), ZERO)
        if net and is_last and len({row["currency"] for row in (*sold, *bought)}) == 1:
            sheet.add_money(
                raw,
                "adjustment",
                net,
                raw["currency"],
                date=raw.day("date"),
                note=raw["description"],
            )


def _group(raw: RawRow, action: _Action, kind: str) -> dict[str, str]:
    return {
        "group": f"{raw['date']} {kind} {action.name}",
        "group_kind": kind,
        "group_label": raw["description"].split(":")[0].strip()[:MAX_LABEL],
    }


def _unpaired(raw: RawRow) -> BadRow:
    return bad_row(
        "description",
        raw["description"],
        "unpaired_action",
        UNPAIRED_ACTION,
        action=raw["description"].split(":")[0].strip(),
    )
