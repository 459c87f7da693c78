"""A run on a terminal of its own, at which something is typed, and which can be closed."""

import contextlib
import fcntl
import os
import subprocess
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster import killing

ANSWERS_AFTER_S = 2.0  # a person who is quick


class TerminalRun(killing.Run):
    """What is shown is kept in `err`. `answers` is told each question, does what it asks for, and is then typed `y`."""

    def __init__(self, folder: Path, *arguments: str, answers: Callable[[str], None] | None = None) -> None:
        self._answers = answers
        super().__init__(folder, *arguments)

    def _started(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[Any]:
        self._keys, screen = os.openpty()

        def own() -> None:
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        process = subprocess.Popen(
            command, cwd=self.folder, env=environment, stdin=screen, stdout=screen, stderr=screen, preexec_fn=own
        )
        os.close(screen)
        threading.Thread(target=self._read, daemon=True).start()
        return process

    def _read(self) -> None:
        shown = ""
        with (self.folder / "err").open("a") as file, contextlib.suppress(OSError):
            while found := os.read(self._keys, 4096):
                text = found.decode(errors="replace")
                file.write(text)
                file.flush()
                shown += text
                while "Done? [Y/n]" in shown:
                    question, _, shown = shown.partition("Done? [Y/n]")
                    threading.Thread(target=self._answer, args=(question,), daemon=True).start()

    def _answer(self, question: str) -> None:
        if self._answers is None:
            return
        self._answers(question[-500:])
        time.sleep(ANSWERS_AFTER_S)
        os.write(self._keys, b"y\n")

    def close(self) -> float:
        """Close the terminal: who works on it is sent SIGHUP, and can write to it no more."""
        os.close(self._keys)
        return time.monotonic()
