"""The processes of a run: each sends facts and rows up a pipe, and ends when this process is gone."""

import contextlib
import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.observe.wire import Reader

ENDS_WITHIN_S = 15.0
PRINTED_WITHIN_S = 1.0  # its last words; what it has started may hold its pipe for longer


@dataclass(frozen=True)
class Message:
    """One line from a child: a fact, or rows of a table. `ended`: its pipe is closed, and this was its return code.

    `torn` then says how many of its lines were no message.
    """

    child: str
    body: Mapping[str, Any]
    ended: int | None = None
    torn: int = 0


class Child:
    """A Python module that runs as a process of its own. Its configuration goes down stdin, one JSON document.

    `printed`, when somebody sets it, takes each line that it prints on standard error; else that goes where ours goes.
    """

    def __init__(self, name: str, arguments: Sequence[str], configuration: Mapping[str, Any]) -> None:
        self.name = name
        self._arguments = list(arguments)
        self._configuration = configuration
        self.printed: Callable[[str], object] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, messages: "queue.Queue[Message]") -> None:
        """Start it; its messages come into the queue, the last one says that it ended."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if self.printed is None else subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C goes to the parent, which ends its children in order
        )
        assert self._process.stdin is not None
        settings = memoryview((json.dumps(self._configuration) + "\n").encode())
        with contextlib.suppress(BrokenPipeError):  # it has ended already; its last message will say so
            while settings:
                settings = settings[os.write(self._process.stdin.fileno(), settings) :]
        os.set_blocking(self._process.stdin.fileno(), False)
        printing = threading.Thread(
            target=self._print, args=(self._process,), daemon=True, name=f"{self.name}, printed"
        )
        printing.start()
        reading = (self._process, messages, printing)
        threading.Thread(target=self._read, args=reading, daemon=True, name=self.name).start()

    def _print(self, process: subprocess.Popen[bytes]) -> None:
        """Hand on what it prints, line by line."""
        if process.stderr is not None and self.printed is not None:
            for line in io.TextIOWrapper(process.stderr, encoding="utf-8", errors="replace"):
                self.printed(line)
            self.printed("")  # the end

    def _read(
        self, process: subprocess.Popen[bytes], messages: "queue.Queue[Message]", printing: threading.Thread
    ) -> None:
        assert process.stdout is not None
        reader = Reader()
        while data := os.read(process.stdout.fileno(), 1 << 16):
            for body in reader.feed(data):
                messages.put(Message(self.name, body))
        code = process.wait()
        printing.join(PRINTED_WITHIN_S)
        messages.put(Message(self.name, {}, ended=code, torn=reader.torn))

    @property
    def pid(self) -> int:
        """Its process id, 0 before it was started."""
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def tell(self, line: Mapping[str, Any]) -> None:
        """Send it a line; nothing happens when it has gone. One that does not read what it is told is killed.

        It never waits: a child that hangs must not hold up its parent, which alone can lift what the child broke.
        """
        process = self._process
        if process is None or process.stdin is None or process.stdin.closed:
            return
        text = (json.dumps(line) + "\n").encode()
        try:
            taken = os.write(process.stdin.fileno(), text)
        except BlockingIOError:
            taken = 0
        except BrokenPipeError:
            return
        if taken < len(text):
            self.kill()

    def finish(self) -> None:
        """Close its stdin: it finishes what it has begun, and ends."""
        process = self._process
        if process is not None and process.stdin is not None and not process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()

    def kill(self) -> None:
        """End it at once, with all that it has started: what a hanging child began must not go on after it."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self, *, within_s: float = ENDS_WITHIN_S) -> None:
        """Ask it to end, and end it when it does not."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
