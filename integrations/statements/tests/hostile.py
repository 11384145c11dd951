"""Make files of any size that are crafted to be slow to read."""

from collections.abc import Callable

from integrations.statements.registry import formats

DEGIRO_HEADER = "Datum,Tijd,Valutadatum,Product,ISIN,Omschrijving,FX,Mutatie,,Saldo,,Order Id"


def header_of(name: str) -> str:
    """Return the first line of a format's example."""
    return next(one for one in formats() if one.name == name).example.splitlines()[0]


def rows(header: str, row: Callable[[int], str], size: int) -> bytes:
    """Return a header and rows of about `size` bytes; rows repeat after the thousandth."""
    made = [row(number) for number in range(1000)]
    length = sum(len(one.encode()) + 1 for one in made)
    many = made * (size // length + 1)
    text = header + "\n" + "\n".join(many)
    return text.encode()[:size].rpartition(b"\n")[0] + b"\n"


def different_rows(header: str, row: Callable[[int], str], size: int) -> bytes:
    """Like `rows`, but each row has its own number."""
    length = len(row(100_000).encode()) + 1
    lines = [row(number) for number in range(size // length)]
    return "\n".join([header, *lines, ""]).encode()


def _revolut(cell: str) -> Callable[[int], bytes]:
    row = f'2024-03-01T14:30:00.000Z,AAPL,BUY - MARKET,{cell},{cell},"{cell}",USD,1.08'
    return lambda size: rows(header_of("revolut"), lambda number: row, size)


def _revolut_crypto(cell: str) -> Callable[[int], bytes]:
    row = f'BTC,Buy,0.001,"{cell}",{cell},{cell},"Mar 1, 2024, 10:10:57 AM"'
    return lambda size: rows(header_of("revolut-crypto"), lambda number: row, size)


def _ibkr_cash(description: str) -> Callable[[int], bytes]:
    row = f'"Dividends","20240516","","{description}","2.5","USD"'
    return lambda size: rows(header_of("ibkr-cash"), lambda number: row, size)


def _ibkr_activity(section: str) -> Callable[[int], bytes]:
    header = (
        "Statement,Header,Field Name,Field Value\nDividends,Header,Currency,Date,Description,Amount"
    )
    return lambda size: rows(header, lambda number: section, size)


def _degiro(description: str) -> Callable[[int], bytes]:
    row = f'01-03-2024,09:30,01-03-2024,ASML,NL0010273215,"{description}",,EUR,"-1,00",EUR,"2,00",'
    return lambda size: rows(DEGIRO_HEADER, lambda number: row, size)


def _degiro_order(*rows_of_one: str) -> Callable[[int], bytes]:
    def row(number: int) -> str:
        words = rows_of_one[number % len(rows_of_one)]
        day = f"{1 + number % 28:02}-{1 + number // 28 % 12:02}-{2000 + number // 336 % 24}"
        return f"{day},09:30,{day},ASML,NL0010273215,{words},11111111-2222"

    return lambda size: different_rows(DEGIRO_HEADER, row, size)


def _trading212_fees(size: int) -> bytes:
    """Every second column is the currency of a fee: each row asks for all of them."""
    fees = ",".join(f"F{number},Currency (F{number})" for number in range(110))
    header = f"{header_of('trading212')},{fees}"
    row = "Market buy,2024-03-01 09:30:00,US0378331005,AAPL,Apple,0.5,180.00,USD,1,,EUR,83.46,EUR"
    return rows(header, lambda number: row, size)


GENERIC = "date,type,ticker,quantity,price"
KINDS: dict[str, Callable[[int], bytes]] = {
    "revolut_minus_blanks": _revolut("-" + " " * 1000 + "x"),
    "revolut_blanks": _revolut(" " * 3000 + "x"),
    "revolut_digits": _revolut("1 000" * 500 + "x"),
    "revolut_crypto_minus_blanks": _revolut_crypto("-" + " " * 1000 + "x"),
    "revolut_crypto_currency": _revolut_crypto("EUR" + " 1" * 1500 + " x"),
    "ibkr_blanks": _ibkr_cash("A" + " " * 2000 + "x"),
    "ibkr_letters": _ibkr_cash("A " * 1500),
    "ibkr_reversals": _ibkr_cash("- reversal " * 300),
    "ibkr_interest": _ibkr_cash("withholding @ " * 250),
    "ibkr_activity_blanks": _ibkr_activity(f"Dividends,Data,USD,2024-03-01,A{' ' * 2000}x,1"),
    "ibkr_activity_headers": _ibkr_activity("Dividends,Header,Currency,Date,Description,Amount"),
    "degiro_blanks": _degiro("Koop" + " " * 2000 + "x"),
    "degiro_prefix": _degiro("A " * 1500 + ":" + " " * 500),
    "degiro_thousands": _degiro("Koop 1" + " 000" * 900),
    "degiro_at": _degiro("Buy 1 " + "at 1 " * 700),
    "degiro_brackets": _degiro("(" * 3000),
    "degiro_dashes": _degiro("-" * 3000),
    "degiro_one_order": _degiro_order(
        'Koop 1 @ 10 USD,,EUR,"-10,00",EUR,"2,00"',
        'Valuta Creditering,,USD,"10,00",EUR,"2,00"',
        'Valuta Debitering,,EUR,"-9,00",EUR,"2,00"',
        'DEGIRO transactiekosten,,EUR,"-1,00",EUR,"2,00"',
    ),
    "degiro_wrapped_ids": lambda size: rows(DEGIRO_HEADER, lambda number: "," * 11 + "x" * 90, size),
    "degiro_actions": _degiro_order('SPLITSING: Koop 1 @ 10 EUR,,EUR,"-10,00",EUR,"2,00"'),
    "trading212_fees": _trading212_fees,
    "generic_blanks": lambda size: rows(
        GENERIC, lambda number: f"2024-01-02,buy,A.DEMO,1{' ' * 3000}x,2", size
    ),
    "generic_digits": lambda size: rows(
        GENERIC, lambda number: f"2024-01-02,buy,A.DEMO,{'1' * 3000},2", size
    ),
    "generic_quotes": lambda size: rows(
        f"{GENERIC},note", lambda number: f"2024-01-02,buy,A.DEMO,1,2,{chr(39) * 3000}", size
    ),
    "json_deep": lambda size: b'{"all": ' + b"[" * size,
    "json_objects": lambda size: b'{"all": [' + b"{}," * (size // 3) + b"{}]}",
    "json_values": lambda size: b'{"all": [{"a": [' + b"1," * (size // 2) + b"1]}]}",
    "json_text": lambda size: b'{"all": [{"a": "' + b"\\n" * (size // 2) + b'"}]}',
    "json_blanks": lambda size: b"{" + b" " * size + b'"a": 1}',
    "short_rows": lambda size: rows(GENERIC + "," * 5000, lambda number: "x" * 60, size),
    "blank_first_line": lambda size: b" " * (size - 40) + b"\n" + GENERIC.encode() + b"\n",
    "blank_lines": lambda size: rows(" " * 40_000, lambda number: " " * 40_000, size),
    "line_ends": lambda size: b"\n" * size + b"x",
    "delimiters": lambda size: rows("," * 50_000, lambda number: "," * 50_000, size),
    "many_columns": lambda size: rows(
        ",".join(f"datx{number}" for number in range(9000)), lambda number: "1", size
    ),
    "open_quote": lambda size: b'date,type\n"' + b"x\n" * (size // 2),
    "closed_quotes": lambda size: rows(GENERIC, lambda number: '"","","","",""', size),
    "broken_utf8": lambda size: "é".encode() * (size // 2) + b"\xff",
    "null_characters": lambda size: b"date,type\n" + b"\0" * size,
}  # fmt: skip
