"""A fault for tests: a file that is there while it holds, and the order in which things were done."""

from pathlib import Path
from typing import Any

from experiments.faults import base, verbs


def plan(folder: str, fails: str = "") -> base.Plan:
    lift = verbs.execute("nowhere", ["rm", str(Path(folder) / "broken")])
    return base.Plan("pod-hang", ("us-east-1/risk",), "a file", (lift,), {"folder": folder, "fails": fails})


def inject(fault: str, folder: str, fails: str = "") -> dict[str, Any]:
    return base.inject(fault, plan(folder, fails), _act)


def _act(planned: base.Plan) -> None:
    folder = Path(planned.facts["folder"])
    note(folder, "act")
    (folder / "broken").touch()
    if planned.facts["fails"] == "inject":
        raise OSError("half way")


def landed(fault: str) -> bool:
    return base.look(fault, lambda p: (Path(p.facts["folder"]) / "broken").exists(), without=False)


def gone(fault: str) -> bool:
    return base.look(fault, lambda p: not (Path(p.facts["folder"]) / "broken").exists(), without=True)


def lift(fault: str, by: str = "clean-up") -> str:
    return base.lift(fault, by)


def note(folder: Path, word: str) -> None:
    with (folder / "order").open("a", encoding="utf-8") as stream:
        stream.write(word + "\n")


def order(folder: Path) -> list[str]:
    return (folder / "order").read_text(encoding="utf-8").split()


class Arms:
    """Stores lifts in the folder, and lifts by removing the file."""

    def __init__(self, folder: Path, *, refuses: bool = False, fails: bool = False) -> None:
        self.folder, self.refuses, self.fails = folder, refuses, fails

    def arm(self, fault: str, lifts: Any) -> None:
        note(self.folder, "arm")
        if self.refuses:
            raise OSError("no echo")

    def lift(self, fault: str, by: str) -> list[Any]:
        from experiments.testbed.system.lifting import Result

        note(self.folder, "lift")
        if not self.fails:
            (self.folder / "broken").unlink(missing_ok=True)
        return [Result("docker-exec", "nowhere", not self.fails, "stuck" if self.fails else "removed", 0.0)]

    def release(self, fault: str) -> None:
        note(self.folder, "release")

    def note_trading(self, region: str, *, enabled: bool) -> None:
        note(self.folder, f"trading-{region}-{enabled}")
