"""Which of the accounts of a file is read."""

from collections.abc import Iterable

from integrations.statements.base import FileProblem

ACCOUNTS_SHOWN, ACCOUNT_SHOWN = 10, 40  # accounts, characters of each


def several_accounts(accounts: Iterable[str]) -> FileProblem:
    """Make the error of a file of several accounts from a request that does not name one."""
    named = sorted(accounts)
    detail = (
        f"The file has several accounts: {_listed(named)}. Import each into a portfolio of its own "
        "and name it with account."
    )
    return FileProblem("several_accounts", detail, accounts=named)


def require_account(account: str, accounts: Iterable[str]) -> None:
    """Raise FileProblem unless the file has the account that the request names."""
    named = sorted(accounts)
    if account in named:
        return
    detail = f"The file has no account {account[:ACCOUNT_SHOWN]}."
    if named:
        detail += f" It has {_listed(named)}."
    raise FileProblem("unknown_account", detail, accounts=named)


def _listed(accounts: list[str]) -> str:
    shown = [account[:ACCOUNT_SHOWN] for account in accounts[:ACCOUNTS_SHOWN]]
    if len(accounts) > ACCOUNTS_SHOWN:
        shown.append("…")
    return ", ".join(shown)
