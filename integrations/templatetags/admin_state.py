from typing import Any

from django import template

from integrations.system_status import system_status

register = template.Library()


@register.inclusion_tag("admin/_state.html")
def state() -> dict[str, Any]:
    return {"lines": system_status()}
