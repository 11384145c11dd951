"""The API's parameters as the options of the commands, for messages."""

import re

_SPELLINGS = (
    (re.compile(r"\bdate_format=(?=\w)"), "--date-format "),
    (re.compile(r"\bdecimal=(?=\w)"), "--decimal "),
)
CHOOSE_TICKER = "Choose its ticker."


def as_options(message: str, *, instrument: str | None = None) -> str:
    """Return `message` with the command's options where it names parameters of the API.

    `instrument` is the ISIN or name in the file that the message asks a ticker for.
    """
    for parameter, option in _SPELLINGS:
        message = parameter.sub(option, message)
    return message.replace(CHOOSE_TICKER, f"Pass its ticker: --instrument '{instrument}=TICKER'.")
