"""The API's parameters as the options of the commands, for messages."""

import re

_SPELLINGS = (
    (re.compile(r"\bdate_format=(?=\w)"), "--date-format "),
    (re.compile(r"\bdecimal=(?=\w)"), "--decimal "),
    (re.compile(r"\bname it with account\b"), "name it with --account"),
    (re.compile(r"\bmapping=(\{[^{}]*\})"), r"--mapping '\1'"),
    (re.compile(r"\bwith mapping\b"), "with --mapping"),
)
CHOOSE_TICKER = "Choose its ticker."


def as_options(message: str, *, instrument: str | None = None) -> str:
    """Return `message` with the command's options where it names parameters of the API.

    `instrument` is the ISIN or name in the file that the message asks a ticker for.
    """
    for parameter, option in _SPELLINGS:
        message = parameter.sub(option, message)
    choice = (
        f"Pass its ticker: --instrument '{instrument}=TICKER'. Or price it by hand: "
        f"--instrument '{instrument}=manual'."
    )
    return message.replace(CHOOSE_TICKER, choice)
