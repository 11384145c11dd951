"""Interactive Brokers: Flex queries of trades and of cash transactions."""

import re
from collections.abc import Iterable
from decimal import Decimal

from financeproj.core.money import EXACT
from integrations.statements.amounts import amount_mismatch
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import compact_day
from integrations.statements.ibkr import (
    TAX,
    TAX_ON_INTEREST,
    add_payment,
    is_tax_on_interest,
    reversed_lines,
)
from integrations.statements.sheet import RawRow, Sheet, bad_row, has_columns
from portfolios.calc.import_rows import gettext_noop as _

TRADES = (
    "Buy/Sell",
    "TradeDate",
    "ISIN",
    "Quantity",
    "TradePrice",
    "CurrencyPrimary",
    "IBCommission",
)
CASH = ("Type", "SettleDate", "ISIN", "Description", "Amount", "CurrencyPrimary")
_PAIR = re.compile(r"([A-Z]{3})\.([A-Z]{3})")
INCOME = {"dividends", "payment in lieu of dividends", "payment in lieu of dividend"}
FOREX, SHARES = "CASH", {"STK", "FUND", "ETF"}
LEVEL = "LevelOfDetail"
CENT = Decimal("0.01")


# --- Trades ---------------------------------------------------------------------------------------


def read_trades(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    sheet = Sheet(
        "ibkr-trades", table, options, read_day=compact_day, decimal="point",
        numbers=("Quantity", "TradePrice", "TradeMoney", "IBCommission"),
    )  # fmt: skip
    _keep_finest(sheet, "EXECUTION", "ORDER")
    for raw in sheet:
        with sheet.collect_problem(raw):
            kind = raw["Buy/Sell"].casefold()
            if _is_forex(sheet, raw):
                sheet.ignore(raw, "forex", raw.number_or_zero("TradeMoney"), raw["CurrencyPrimary"])
            elif kind in ("buy", "sell"):
                quantity, price = _traded(raw)
                sheet.add_net(
                    raw,
                    type=kind,
                    date=raw.day("TradeDate"),
                    quantity=quantity,
                    price=price,
                    commission=-raw.number_or_zero("IBCommission"),
                    commission_in=raw["IBCommissionCurrency"] or None,
                    currency=raw["CurrencyPrimary"],
                    isin=raw["ISIN"] or None,
                    symbol=raw["Symbol"] or None,
                    company_name=raw["Description"],
                    external_id=raw["TradeID"] or None,
                )
            else:
                raise sheet.unknown_type("Buy/Sell", raw["Buy/Sell"])
    return sheet.statement


def _keep_finest(sheet: Sheet, *levels: str) -> None:
    """Keep the rows of the finest of `levels` in the file. The others repeat them."""
    in_file = {raw[LEVEL].upper() for raw in sheet}
    present = [level for level in levels if level in in_file]
    if not present:
        return
    kept = []
    for raw in sheet:
        if raw[LEVEL].upper() in (present[0], ""):
            kept.append(raw)
        else:
            sheet.ignore(raw, f"level of detail {raw[LEVEL].lower()}")
    sheet.rows = kept


def _is_forex(sheet: Sheet, raw: RawRow) -> bool:
    """Return whether currencies were exchanged.

    Raises BadRow for what is not a share or a fund, or may not be one.
    """
    if "AssetClass" in sheet.columns:
        kind = raw["AssetClass"].upper()
        if kind != FOREX and kind not in SHARES:
            message = _("Options, futures and bonds are not imported, only shares and funds.")
            raise bad_row("AssetClass", raw["AssetClass"], "unknown_type", message)
        return kind == FOREX
    if raw["ISIN"]:
        return False
    name = raw["Symbol"] or raw["Description"]
    if not name:
        _traded(raw)  # It may be anything, but the price of an option does not give the money.
        return True
    pair = _PAIR.fullmatch(name)
    if pair is None or not any(map(sheet.options.is_currency, pair.groups())):
        message = _(
            "Without an ISIN a share cannot be distinguished from an option. Add the column "
            "AssetClass to the query."
        )
        raise bad_row("ISIN", None, "required", message)
    return True


def _traded(raw: RawRow) -> tuple[Decimal, Decimal]:
    """Return (quantity, price).

    Raises BadRow if they do not give the money of the trade: bonds have a price in percent.
    """
    quantity = abs(raw.required_number("Quantity"))
    price = raw.required_number("TradePrice")
    gross = EXACT.multiply(quantity, price)
    money = raw.number("TradeMoney")
    if money is not None and abs(abs(money) - gross) > max(CENT, gross / 500):
        raise amount_mismatch(raw, "TradeMoney", quantity=quantity, price=price, expected=gross)
    return quantity, price


# --- Cash transactions ----------------------------------------------------------------------------


def read_cash(table: Table, options: Options) -> Statement:
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    sheet = Sheet(
        "ibkr-cash", table, options, read_day=compact_day, decimal="point", numbers=("Amount",)
    )  # fmt: skip
    _keep_finest(sheet, "DETAIL", "SUMMARY")
    reversed_rows = reversed_lines(sheet, "Type")
    for raw in sheet:
        with sheet.collect_problem(raw):
            kind = raw["Type"].casefold()
            if raw.line in reversed_rows:
                sheet.ignore_reversed(raw, "reversed", raw["TransactionID"])
            elif kind == TAX and is_tax_on_interest(raw):
                sheet.ignore(
                    raw, TAX_ON_INTEREST, raw.number_or_zero("Amount"), raw["CurrencyPrimary"]
                )
            elif kind in INCOME or kind == TAX:
                add_payment(
                    sheet,
                    raw,
                    kind,
                    currency=raw["CurrencyPrimary"],
                    day_column="SettleDate",
                    isin=raw["ISIN"],
                    external_id=raw["TransactionID"],
                )
            elif not raw["ISIN"]:
                sheet.ignore(raw, kind, raw.number_or_zero("Amount"), raw["CurrencyPrimary"])
            else:
                raise sheet.unknown_type("Type", raw["Type"])
    return sheet.statement


def _quoted(cells: Iterable[str]) -> str:
    return ",".join(f'"{cell}"' for cell in cells)


TRADES_EXAMPLE = ("BUY", "20240301", "US0378331005", "10", "180", "USD", "-1", "USD")
CASH_EXAMPLE = (
    "Dividends",
    "20240516",
    "US0378331005",
    "AAPL(US0378331005) CASH DIVIDEND USD 0.25 PER SHARE",
    "2.5",
    "USD",
)
TRADES_WITH_CURRENCY = (*TRADES, "IBCommissionCurrency")
FORMATS = (
    Format(
        name="ibkr-trades",
        label="Interactive Brokers, Flex query: trades",
        columns=TRADES_WITH_CURRENCY,
        example=f"{_quoted(TRADES_WITH_CURRENCY)}\r\n{_quoted(TRADES_EXAMPLE)}\r\n",
        recognises=has_columns(*TRADES),
        read=read_trades,
    ),
    Format(
        name="ibkr-cash",
        label="Interactive Brokers, Flex query: cash transactions",
        columns=CASH,
        example=f"{_quoted(CASH)}\r\n{_quoted(CASH_EXAMPLE)}\r\n",
        recognises=has_columns(*CASH),
        read=read_cash,
    ),
)
