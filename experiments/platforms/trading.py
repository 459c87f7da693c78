"""The switch of trading, as a cluster's configuration has it (runbook: Emergency Procedures)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

CONFIG, KEY = "grandmodel-config", "trading_enabled"
REMEDY = "`gameday undo`, which enables it when a run has disabled it; what a person has, a person enables"


def off_since(config: Mapping[str, Any]) -> str:
    """Since when trading is disabled, as the API server remembers who has set what; empty: it is not.

    Args:
        config: the ConfigMap, as its API gives it.

    >>> off_since({"data": {"trading_enabled": "false"}, "metadata": {}})
    'an unknown time'
    >>> off_since({"data": {}})
    ''
    """
    if str((config.get("data") or {}).get(KEY, "true")).strip().lower() == "true":
        return ""
    fields = (config.get("metadata") or {}).get("managedFields") or []
    owned = [field for field in fields if f"f:{KEY}" in (field.get("fieldsV1") or {}).get("f:data", {})]
    set_at = [datetime.fromisoformat(field["time"]) for field in owned if field.get("time")]
    return f"{max(set_at):%Y-%m-%d %H:%M:%S} UTC" if set_at else "an unknown time"


def lacks(off: Mapping[str, str]) -> list[str]:
    """Where trading is disabled, since when (`off_since`), and what to do, in words."""
    return [f"{region}: trading is disabled since {since}; next: {REMEDY}" for region, since in off.items()]
