"""Clear the shared cache between two steps of a test."""

from django.conf import settings
from django.core.cache import cache


def empty_cache() -> None:
    """Forget what this installation keeps there, and nothing of others: django-redis' clear()
    empties the whole Redis.
    """
    cache.delete_pattern("*") if settings.REDIS_URL else cache.clear()
