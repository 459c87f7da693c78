"""The switch that stops trading: a key of the ConfigMap, mounted as a file."""

import asyncio
import logging
from pathlib import Path

from prometheus_client import Gauge

_GAUGE = Gauge("trading_enabled", "1 while orders are taken")
_LOOK_S = 1.0
_log = logging.getLogger(__name__)


class TradingSwitch:
    """Whether orders are taken; off until the file says `true`."""

    def __init__(self, path: Path) -> None:
        """Look once.

        Args:
            path: The mounted key.
        """
        self._path = path
        self.enabled = False
        self.look()

    def look(self) -> None:
        """Read the file; missing or unreadable means no trading."""
        try:
            enabled = self._path.read_text(encoding="utf-8").strip().lower() == "true"
        except (OSError, UnicodeDecodeError):
            enabled = False
        if enabled != self.enabled:
            _log.info("trading is %s", "enabled" if enabled else "disabled")
        self.enabled = enabled
        _GAUGE.set(enabled)

    async def watch(self) -> None:
        """Look each second, for ever."""
        while True:
            await asyncio.sleep(_LOOK_S)
            self.look()
