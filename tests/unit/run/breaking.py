"""An executor that injects a fault which only the tests know; what it does then is appended."""

NAME = "pod-hang:0"
BREAKS = f"""
import json, os, signal, sys, time
from pathlib import Path
from experiments.faults import base, report
from tests.unit.faults import fake
folder = json.loads(sys.stdin.readline())["folder"]
def say(kind, subject, detail):
    mark = {{"t_us": 0, "kind": kind, "subject": subject, "detail": detail, "source_t_us": None}}
    print(json.dumps({{"mark": mark}}), flush=True)
report.listen(say)
base.protect(fake.Arms(Path(folder)))
fake.inject("{NAME}", folder)
"""
