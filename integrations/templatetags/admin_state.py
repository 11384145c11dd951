from typing import Any

from django import template

from integrations.state import system_state

register = template.Library()


@register.inclusion_tag("admin/_state.html")
def state() -> dict[str, Any]:
    return {"lines": system_state()}
