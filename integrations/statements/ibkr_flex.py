"""Interactive Brokers: Flex queries of trades and of cash transactions, as CSV."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from decimal import Decimal
from functools import partial

from financeproj.core.money import EXACT, ONE, ZERO
from integrations.statements.amounts import (
    amount_differs,
    cash_effect,
    divide,
    half_unit,
    rounding_of_product,
    shares_effect,
)
from integrations.statements.base import Format, Options, Statement, Table
from integrations.statements.days import any_day
from integrations.statements.ibkr import (
    TAX,
    add_exchange,
    add_money,
    add_payment,
    cancelled_lines,
    is_tax_on_interest,
    isin_of,
    names_instrument,
    pair_of,
    reversed_lines,
)
from integrations.statements.ibkr_accrued import take_accrued, with_accrued
from integrations.statements.ibkr_actions import Actions
from integrations.statements.ibkr_assets import (
    BONDS,
    EXCHANGED,
    NOTES,
    PER_CENT,
    WITHOUT_MONEY,
    is_of_option_alone,
    is_per_cent,
    require_imported,
    symbol_of,
)
from integrations.statements.ibkr_words import category_of
from integrations.statements.raw_rows import BadRow, RawRow, bad_row, unpaired_reversal
from integrations.statements.sheet import Sheet, has_columns
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
NUMBERS_OF_TRADES = (
    "Quantity", "TradePrice", "TradeMoney", "IBCommission", "Taxes", "NetCash",
)  # fmt: skip
INCOME = {"dividends", "payment in lieu of dividends", "payment in lieu of dividend"}
TAXES = {TAX, "871(m) withholding"}
BOND_INTEREST = {"bond interest received", "bond interest paid"}
# What rows of money are, by the first of these words that is in their type.
OF_MONEY = (
    ("deposit", "deposit"), ("withdrawal", "deposit"), ("interest", "interest"), ("fee", "fee"),
    ("commission", "fee"), ("sales tax", "fee"), ("transaction tax", "fee"), ("credits", "fee"),
    ("bill pay", "deposit"), ("card", "deposit"), ("donation", "deposit"),
    ("adjustment", "adjustment"), ("income", "adjustment"),
)  # fmt: skip
LEVEL, ACCOUNT = "LevelOfDetail", "ClientAccountID"
DETAIL, SUMMARY, OF_ALL = "DETAIL", "SUMMARY", "-"
OF_TRADES = ("EXECUTION", "ORDER")
MOVED_MONEY = ("TradePrice", "TradeMoney", "IBCommission", "Taxes", "NetCash")
# Columns of days that are read.
DAYS = {"TradeDate", "SettleDate", "Report Date", "Date"}
# One of these is in the header of every section of a query.
OF_HEADERS = {ACCOUNT, "CurrencyPrimary"}
# Where a row of cash has what it needs when a person says what its word means.
FOR_WORDS = {
    "date": "SettleDate",
    "amount": "Amount",
    "currency": "CurrencyPrimary",
    "isin": "ISIN",
    "symbol": "Symbol",
    "external_id": "TransactionID",
}
CENT = Decimal("0.01")
_CANCELS = re.compile(r"(buy|sell) ?\(ca\.?\)")


def cells_of(table: Table, columns: Collection[str]) -> Iterator[str]:
    """Return the cells of some columns."""
    positions: list[int] = []
    for position, name in enumerate(table.header):
        if name.strip() in columns:
            positions.append(position)
    for cells in table.records:
        for position in positions:
            if position < len(cells):
                yield cells[position].strip()


def leave_out_sums(sheets: Collection[Sheet]) -> None:
    """Ignore the rows of all accounts together, which have a dash as account, if others name one.

    They repeat the details of the others.
    """
    accounts = {raw[ACCOUNT] for sheet in sheets for raw in sheet} - {"", OF_ALL}
    for sheet in sheets if accounts else ():
        kept = []
        for raw in sheet:
            if raw[ACCOUNT] == OF_ALL and raw[LEVEL].upper() == SUMMARY:
                sheet.ignore(raw, f"level of detail {SUMMARY.lower()}")
            else:
                kept.append(raw)
        sheet.rows = kept


def _sheet_of(name: str, table: Table, options: Options, numbers: tuple[str, ...]) -> Sheet:
    """Return the rows of a query without the sums over accounts. Raises FileProblem."""
    table.require_distinct_columns()
    table.require_rectangle(is_always_full=True)
    read_day = any_day(cells_of(table, DAYS))
    sheet = Sheet(name, table, options, read_day=read_day, decimal="point", numbers=numbers)
    leave_out_sums([sheet])
    sheet.set_account(ACCOUNT)
    return sheet


# --- Trades ---------------------------------------------------------------------------------------


def read_trades(table: Table, options: Options) -> Statement:
    sheet = _sheet_of("ibkr-trades", table, options, NUMBERS_OF_TRADES)
    add_trades(sheet)
    return sheet.statement


def add_trades(sheet: Sheet) -> None:
    """Add the trades of a sheet, without those that were cancelled."""
    _keep_finest(sheet, *OF_TRADES)
    cancelled, alone = cancelled_lines(map(_trade, sheet))
    for raw in sheet:
        with sheet.collect_problem(raw):
            if raw.line in cancelled:
                read = partial(_add_trade, sheet, raw)
                sheet.ignore_reversed(raw, "cancelled", raw["TradeID"], read=read)
            elif raw.line in alone:
                raise _cancelled_alone(raw)
            else:
                _add_trade(sheet, raw)


def take_accrued_interest(trades: Sheet, cash: Sheet) -> None:
    """Move the accrued interest of bonds from the cash transactions to the trades."""
    _keep_finest(trades, *OF_TRADES)
    _keep_finest(cash, DETAIL, SUMMARY)
    take_accrued(
        trades,
        cash,
        side_of=lambda raw: raw["Buy/Sell"].casefold(),
        isin_of=isin_of,
        day="TradeDate",
        cash_day="SettleDate",
        currency="CurrencyPrimary",
    )


def _trade(raw: RawRow) -> tuple[tuple[str, ...], bool, int]:
    """Return what a trade and its cancellation have alike, whether it cancels one, and its line."""
    cancels = _CANCELS.fullmatch(raw["Buy/Sell"].casefold())
    alike = (
        cancels[1] if cancels else raw["Buy/Sell"].casefold(),
        isin_of(raw) or raw["Symbol"] or raw["Description"],
        raw["CurrencyPrimary"],
        raw["Quantity"].lstrip("-"),
        raw["TradePrice"],
    )
    return alike, cancels is not None, raw.line


def _cancelled_alone(raw: RawRow) -> BadRow:
    """Make the error of a row that cancels a trade of an earlier file."""
    cancels = _CANCELS.fullmatch(raw["Buy/Sell"].casefold())
    quantity, price = _traded(raw)
    return unpaired_reversal(
        "Quantity",
        raw.required_number("Quantity"),
        type=cancels[1] if cancels else "",
        date=raw.day("TradeDate"),
        quantity=quantity,
        price=price,
        isin=isin_of(raw) or None,
        symbol=_symbol_of(raw) or None,
    )


def _add_trade(sheet: Sheet, raw: RawRow) -> None:
    if is_of_option_alone(raw, "AssetClass", *MOVED_MONEY):
        sheet.ignore(raw, WITHOUT_MONEY)
        return
    kind = raw["Buy/Sell"].casefold()
    if kind not in ("buy", "sell"):
        raise sheet.unknown_type("Buy/Sell", raw["Buy/Sell"])
    if _is_forex(sheet, raw):
        _add_forex(sheet, raw, kind)
        return
    quantity, price = _traded(raw)
    currency, fee_currency = raw["CurrencyPrimary"], raw["IBCommissionCurrency"]
    commission, tax = -raw.number_or_zero("IBCommission"), -raw.number_or_zero("Taxes")
    settled = _settled(raw, kind, quantity, price)
    price, accrued, note = with_accrued(raw, quantity, price, currency)
    sheet.add_net(
        raw,
        type=kind,
        date=raw.day("TradeDate"),
        quantity=quantity,
        price=price,
        commission=commission + min(tax, ZERO),
        commission_in=fee_currency or None,
        tax=max(tax, ZERO),
        currency=currency,
        settlement_currency=currency or None,
        settlement_amount=settled + accrued or None,
        isin=isin_of(raw) or None,
        symbol=_symbol_of(raw) or None,
        company_name=raw["Description"],
        note=note,
        external_id=raw["TradeID"] or None,
    )


def _symbol_of(raw: RawRow) -> str:
    return symbol_of(raw["Symbol"], category_of(raw["AssetClass"]), raw["CurrencyPrimary"])


def _settled(raw: RawRow, side: str, quantity: Decimal, price: Decimal) -> Decimal:
    """Return what a trade added to the cash in its own currency.

    Raises BadRow(amount_differs) if the net amount is not the value with its charges. That of a
    bond may have the interest that accrued.
    """
    gross = EXACT.multiply(quantity, price)
    money = abs(raw.number("TradeMoney") or gross)
    taxes, commission = raw.number_or_zero("Taxes"), raw.number_or_zero("IBCommission")
    is_in_another = raw["IBCommissionCurrency"] not in ("", raw["CurrencyPrimary"])
    if is_in_another:
        commission = ZERO
    settled = cash_effect(side, money) + taxes + commission
    net = raw.number("NetCash")
    if net is None:
        return settled
    rounding = rounding_of_product(quantity, price)
    for figure in (net, money, taxes, commission):
        rounding += half_unit(figure)
    is_bond = category_of(raw["AssetClass"]) in (BONDS, NOTES)
    if not (is_in_another or is_bond) and abs(net - settled) > rounding:
        charges = -taxes - commission
        raise amount_differs(
            raw, "NetCash", quantity=quantity, price=price, expected=settled, charges=charges
        )
    return net


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

    Raises BadRow for options, futures and CFDs, and for what may be one.
    """
    if "AssetClass" in sheet.columns:
        if raw["AssetClass"].upper() in EXCHANGED:
            return True
        require_imported(raw, "AssetClass")
        return False
    if isin_of(raw):
        return False
    name = raw["Symbol"] or raw["Description"]
    if not name:
        _traded(raw)  # It may be anything, but the price of an option does not give the money.
        return True
    if pair_of(sheet, name) is None:
        message = _(
            "Without an ISIN a share cannot be distinguished from an option. Add the column "
            "AssetClass to the query."
        )
        raise bad_row("ISIN", None, "required", message)
    return True


def _add_forex(sheet: Sheet, raw: RawRow, side: str) -> None:
    quantity = abs(raw.required_number("Quantity"))
    paid = abs(
        raw.number("TradeMoney") or EXACT.multiply(quantity, raw.number_or_zero("TradePrice"))
    )
    pair = pair_of(sheet, raw["Symbol"] or raw["Description"])
    if pair is None and sheet.options.currency:
        pair = sheet.options.currency, raw["CurrencyPrimary"]
    add_exchange(
        sheet,
        raw,
        pair=pair,
        bought=shares_effect(side, quantity),
        paid=cash_effect(side, paid),
        fee=raw.number_or_zero("IBCommission"),
        fee_currency=raw["IBCommissionCurrency"] or raw["CurrencyPrimary"],
        date=raw.day("TradeDate"),
        note=raw["Symbol"] or raw["Description"],
        external_id=raw["TradeID"] or None,
    )


def _traded(raw: RawRow) -> tuple[Decimal, Decimal]:
    """Return (quantity, price), for a bond of one unit of its nominal value.

    Raises BadRow if they do not give the money of the trade.
    """
    quantity = abs(raw.required_number("Quantity"))
    price = raw.required_number("TradePrice")
    money = raw.number("TradeMoney")
    value = EXACT.multiply(quantity, price)
    is_of_nominal = is_per_cent(category_of(raw["AssetClass"]), value, money)
    rate = PER_CENT if is_of_nominal else ONE
    gross = EXACT.multiply(value, rate)
    if money is not None:
        rounding = rounding_of_product(quantity, price) * rate + max(half_unit(money), CENT)
        if abs(abs(money) - gross) > rounding:
            raise amount_differs(raw, "TradeMoney", quantity=quantity, price=price, expected=gross)
    return quantity, divide(gross, quantity) if is_of_nominal and quantity else price


# --- Corporate actions ------------------------------------------------------------------------


def add_actions(sheet: Sheet) -> None:
    """Add what companies did to their shares."""
    _keep_finest(sheet, DETAIL, SUMMARY)
    actions = Actions(sheet)
    for raw in sheet:
        with sheet.collect_problem(raw):
            actions.add(sheet, raw)


# --- Cash transactions ----------------------------------------------------------------------------


def read_cash(table: Table, options: Options) -> Statement:
    sheet = _sheet_of("ibkr-cash", table, options, ("Amount",))
    add_cash(sheet)
    return sheet.statement


def add_cash(sheet: Sheet) -> None:
    """Add the cash transactions of a sheet, without those that were reversed."""
    sheet.for_words = FOR_WORDS
    _keep_finest(sheet, DETAIL, SUMMARY)
    reversed_rows = reversed_lines(sheet, "Type")
    for raw in sheet:
        with sheet.collect_problem(raw):
            if raw.line in reversed_rows:
                read = partial(_add_cash_row, sheet, raw)
                sheet.ignore_reversed(raw, "reversed", raw["TransactionID"], read=read)
            else:
                _add_cash_row(sheet, raw)


def _add_cash_row(sheet: Sheet, raw: RawRow) -> None:
    kind = raw["Type"].casefold()
    currency, row_id = raw["CurrencyPrimary"], raw["TransactionID"]
    is_named = bool(isin_of(raw) or raw["Symbol"]) or names_instrument(raw)
    income = _income(kind, raw)
    if kind in TAXES and is_named and not is_tax_on_interest(raw):
        income = TAX
    if income == "dividend" or (income and is_named):
        add_payment(
            sheet,
            raw,
            income,
            currency=currency,
            day_column="SettleDate",
            isin=isin_of(raw),
            symbol=raw["Symbol"],
            external_id=row_id,
        )
    elif money := _money(kind):
        add_money(sheet, raw, money, currency, "SettleDate", row_id)
    else:
        raise sheet.unknown_type("Type", raw["Type"])


def _income(kind: str, raw: RawRow) -> str:
    """Return the type of what an instrument paid or cost, empty for other rows."""
    amount = raw.number_or_zero("Amount")
    if kind in INCOME:
        return "dividend"
    if kind in BOND_INTEREST and amount > 0:
        return "interest"
    return "fee" if "fee" in kind and amount < 0 else ""


def _money(kind: str) -> str:
    if kind in TAXES:
        return "tax"
    for word, money in OF_MONEY:
        if word in kind:
            return money
    return ""


def is_header(record: Iterable[str]) -> bool:
    return not OF_HEADERS.isdisjoint(map(str.strip, record))


def has_more_sections(table: Table) -> bool:
    """Return whether another header stands among the rows."""
    return any(map(is_header, table.records))


def _is_of_one_section(columns: Iterable[str]) -> Callable[[Table], bool]:
    has_them = has_columns(*columns)
    return lambda table: has_them(table) and not has_more_sections(table)


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
        recognises=_is_of_one_section(TRADES),
        read=read_trades,
    ),
    Format(
        name="ibkr-cash",
        label="Interactive Brokers, Flex query: cash transactions",
        columns=CASH,
        example=f"{_quoted(CASH)}\r\n{_quoted(CASH_EXAMPLE)}\r\n",
        recognises=_is_of_one_section(CASH),
        read=read_cash,
    ),
)
