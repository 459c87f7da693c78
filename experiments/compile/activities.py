"""Activities of an experiment: calls of Python functions, with plain JSON arguments."""

from typing import Any


def action(name: str, module: str, function: str, /, **arguments: Any) -> dict[str, Any]:
    """An action: it changes something."""
    return _activity("action", name, module, function, arguments)


def probe(name: str, module: str, function: str, /, **arguments: Any) -> dict[str, Any]:
    """A probe: it looks, and answers true or false."""
    return _activity("probe", name, module, function, arguments)


def _activity(type_: str, name: str, module: str, function: str, arguments: dict[str, Any]) -> dict[str, Any]:
    provider = {"type": "python", "module": module, "func": function, "arguments": arguments}
    return {"type": type_, "name": name, "provider": provider}
