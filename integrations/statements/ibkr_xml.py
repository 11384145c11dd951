"""Interactive Brokers: a Flex query as XML, with trades, cash transactions, transfers and
corporate actions.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from integrations.statements.accounts import require_account, several_accounts
from integrations.statements.base import FileProblem, Format, Options, Statement, Table
from integrations.statements.days import any_day
from integrations.statements.ibkr_flex import (
    DAYS,
    OF_ALL,
    add_actions,
    add_cash,
    add_trades,
    cells_of,
    take_accrued_interest,
)
from integrations.statements.ibkr_transfers import add_transfers
from integrations.statements.sheet import Sheet
from integrations.statements.xml_table import Element, XmlTable

ROOT, STATEMENT = "FlexQueryResponse", "FlexStatement"
Columns = tuple[tuple[str, tuple[str, ...]], ...]
# Our columns, which are those of the CSV, and the attributes that they are read from.
SHARED: Columns = (
    ("CurrencyPrimary", ("currency",)),
    ("AssetClass", ("assetCategory",)),
    ("Symbol", ("symbol",)),
    ("Description", ("description", "taxableDescription", "taxDescription")),
    ("ISIN", ("isin",)),
    ("SecurityID", ("securityID",)),
    ("SecurityIDType", ("securityIDType",)),
    ("LevelOfDetail", ("levelOfDetail",)),
)
TRADES: Columns = (
    *SHARED,
    ("TradeID", ("tradeID",)),
    ("TradeDate", ("tradeDate", "dateTime")),
    ("Quantity", ("quantity",)),
    # The second are those of trade confirmations.
    ("TradePrice", ("tradePrice", "price")),
    ("TradeMoney", ("tradeMoney", "amount")),
    ("Taxes", ("taxes", "tax")),
    ("IBCommission", ("ibCommission", "commission")),
    ("IBCommissionCurrency", ("ibCommissionCurrency", "commissionCurrency")),
    ("NetCash", ("netCash",)),
    ("Buy/Sell", ("buySell",)),
)
CASH: Columns = (
    *SHARED,
    ("Type", ("type",)),
    ("SettleDate", ("settleDate", "reportDate", "dateTime", "date")),
    ("Amount", ("amount", "salesTax", "taxAmount")),
    ("TransactionID", ("transactionID",)),
)
ACTIONS: Columns = (
    ("Currency", ("currency",)),
    ("AssetClass", ("assetCategory",)),
    # The action, where it stands alone; then the other is the name of what it moves.
    ("Description", ("actionDescription", "description")),
    ("Symbol", ("symbol",)),
    ("ISIN", ("isin",)),
    ("SecurityID", ("securityID",)),
    ("LevelOfDetail", ("levelOfDetail",)),
    ("Code", ("code",)),
    ("ActionID", ("actionID",)),
    ("TransactionID", ("transactionID",)),
    ("Report Date", ("reportDate", "dateTime")),
    ("Quantity", ("quantity",)),
    ("Proceeds", ("proceeds",)),
)
TRANSFERS: Columns = (
    *SHARED,
    ("Date", ("date", "reportDate", "dateTime")),
    ("Type", ("type",)),
    ("Direction", ("direction",)),
    ("Qty", ("quantity",)),
    ("Market Value", ("positionAmount",)),
    ("Cash Amount", ("cashTransfer",)),
    ("TransactionID", ("transactionID",)),
)
PARTS: tuple[tuple[Sequence[str], Columns, Callable[[Sheet], None]], ...] = (
    (("Trade", "Order", "TradeConfirm", "TradeTransfer"), TRADES, add_trades),
    (("Transfer",), TRANSFERS, add_transfers),
    (("CorporateAction",), ACTIONS, add_actions),
    (("CashTransaction", "SalesTax", "TransactionTax"), CASH, add_cash),
)
# Elements of transactions. All others summarise or explain them.
TRANSACTIONS = set(chain.from_iterable(names for names, _columns, _add in PARTS))
SECTIONS = {
    "Trades", "TradeConfirms", "Transfers", "CorporateActions", "CashTransactions", "SalesTaxes",
    "TransactionTaxes",
}  # fmt: skip
# What taxes of their own are. Others are in the taxes of their trade.
TAXES = {"SalesTax": "Sales Tax", "TransactionTax": "Transaction Tax"}
ALONE = "STANDALONE"
NUMBERS = (
    "Quantity", "TradePrice", "TradeMoney", "Taxes", "IBCommission", "NetCash", "Amount",
    "Proceeds", "Qty", "Market Value", "Cash Amount",
)  # fmt: skip


def recognises(table: Table) -> bool:
    return isinstance(table, XmlTable) and table.header == [ROOT]


def read(table: Table, options: Options) -> Statement:
    if not isinstance(table, XmlTable):
        raise FileProblem("unknown_format", "This is not the XML of a Flex query.")
    if not table.names & (TRANSACTIONS | SECTIONS):
        raise FileProblem(
            "unknown_format",
            "The file has no section of trades, cash transactions, corporate actions or transfers. "
            "Add them to the query.",
        )
    statement = Statement("ibkr-flex", table.encoding, "")
    table.elements, statement.account = _of_one_account(table.elements, options.account)
    parts = [table.part(names, columns) for names, columns, _add in PARTS]
    read_day = any_day(chain.from_iterable(cells_of(part, DAYS) for part in parts))
    sheets: dict[Columns, Sheet] = {}
    for part, (_names, columns, _add) in zip(parts, PARTS, strict=True):
        sheet = Sheet(
            "ibkr-flex", part, options, read_day=read_day, decimal="point", numbers=NUMBERS
        )
        sheet.statement = statement
        sheets[columns] = sheet
    take_accrued_interest(sheets[TRADES], sheets[CASH])
    for _names, columns, add in PARTS:
        add(sheets[columns])
    return statement


def _of_one_account(elements: list[Element], chosen: str) -> tuple[list[Element], str]:
    """Number the transactions of the file, and return those of one account, and that account.

    A transaction that does not name its account, or has a dash for all together, is of the only one
    that the others of its statement name, or else of that of its statement. Raises FileProblem if
    there are several accounts and none is chosen, or if the chosen one is not there.
    """
    of_account: dict[str, list[Element]] = defaultdict(list)
    number = 0
    for account, transactions in _statements(elements):
        named: set[str] = set()
        for element in transactions:
            named.add(_account_of(element))
        named.discard("")
        own = named.pop() if len(named) == 1 else account
        for element in transactions:
            number += 1
            element.number = number
            of_account[_account_of(element) or own].append(element)
    if chosen:
        require_account(chosen, filter(None, of_account))
    elif len(of_account) > 1:
        raise several_accounts(filter(None, of_account))
    account = chosen or next(iter(of_account), "")
    return of_account[account], account


def _statements(elements: Iterable[Element]) -> list[tuple[str, list[Element]]]:
    """Return the transactions of each statement, with its account."""
    found: list[tuple[str, list[Element]]] = [("", [])]
    for element in elements:
        if element.name == STATEMENT:
            found.append((_account_of(element), []))
        elif element.name in TRANSACTIONS and _counts(element):
            found[-1][1].append(element)
    return found


def _account_of(element: Element) -> str:
    return element.attributes.get("accountId", "").strip().removeprefix(OF_ALL)


def _counts(element: Element) -> bool:
    """Return whether a transaction is one of its own. Gives taxes the type that they lack."""
    kind = TAXES.get(element.name)
    if kind is None:
        return True
    element.attributes["type"] = kind
    return element.name != "TransactionTax" or element.attributes.get("source") == ALONE


EXAMPLE = (
    f'<{ROOT} queryName="All" type="AF">\r\n<FlexStatements count="1">\r\n'
    '<FlexStatement accountId="U1"><Trades>\r\n'
    '<Trade accountId="U1" currency="USD" assetCategory="STK" symbol="AAPL" isin="US0378331005" '
    'tradeID="1" tradeDate="20240301" quantity="10" tradePrice="180" tradeMoney="1800" '
    'ibCommission="-1" ibCommissionCurrency="USD" buySell="BUY" levelOfDetail="EXECUTION" />\r\n'
    f"</Trades></FlexStatement>\r\n</FlexStatements>\r\n</{ROOT}>\r\n"
)
FORMATS = (
    Format(
        name="ibkr-flex",
        label="Interactive Brokers, Flex query as XML",
        columns=(),
        example=EXAMPLE,
        recognises=recognises,
        read=read,
    ),
)
