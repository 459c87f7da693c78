"""The processes of a run: each sends facts and rows up a pipe, and ends when this process is gone."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.observe.wire import Reader

ENDS_WITHIN_S = 15.0


@dataclass(frozen=True)
class Message:
    """One line from a child: a fact, or rows of a table. `ended`: its pipe is closed, and this was its return code."""

    child: str
    body: Mapping[str, Any]
    ended: int | None = None


class Child:
    """A Python module that runs as a process of its own. Its configuration goes down stdin, one JSON document."""

    def __init__(self, name: str, arguments: Sequence[str], configuration: Mapping[str, Any]) -> None:
        self.name = name
        self._arguments = list(arguments)
        self._configuration = configuration
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, messages: "queue.Queue[Message]") -> None:
        """Start it; its messages come into the queue, the last one says that it ended."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C goes to the parent, which ends its children in order
        )
        assert self._process.stdin is not None
        settings = memoryview((json.dumps(self._configuration) + "\n").encode())
        with contextlib.suppress(BrokenPipeError):  # it has ended already; its last message will say so
            while settings:
                settings = settings[os.write(self._process.stdin.fileno(), settings) :]
        os.set_blocking(self._process.stdin.fileno(), False)
        threading.Thread(target=self._read, args=(self._process, messages), daemon=True, name=self.name).start()

    def _read(self, process: subprocess.Popen[bytes], messages: "queue.Queue[Message]") -> None:
        assert process.stdout is not None
        reader = Reader()
        while data := os.read(process.stdout.fileno(), 1 << 16):
            for body in reader.feed(data):
                messages.put(Message(self.name, body))
        messages.put(Message(self.name, {}, ended=process.wait()))

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
