"""The admin of every part of integrations: importing them registers their pages."""

from integrations.backups import admin as backups  # noqa: F401
from integrations.exports import admin as exports  # noqa: F401
from integrations.imports import admin as imports  # noqa: F401
from integrations.ynab import admin as ynab  # noqa: F401
