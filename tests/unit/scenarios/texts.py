"""A folder of files as a user would write them: one of each kind, all in order."""

from pathlib import Path

SCENARIO = """\
scenario: mine
title: A pod dies
tests: whether another one takes over
runbook: [Disaster Recovery / Failover Procedures / Manual Failover]
topology: small
workload:
  profile: steady
  rate: 100/s
  duration: until settled
  at most: 30 min
timeline:
  - at: 5 min
    fault: pod-kill
    target: {region: here, service: shop}
    with: {count: 2}
  - at: 10 min
    fault: slow-pod
    target: {region: here, service: desk}
    until: 2 min
response: [answer]
worlds:
  twin: {trials: 60, met_in: 90 %}
set:
  people.acknowledge: 3 min
not_judged:
  kpi.throughput: the load is small
"""

TOPOLOGY = """\
topology: small
title: Two services and a database
regions:
  here:
    role: active
    nodes: 3
    node_cpu: 8 vCPU
    node_quota: 6
  there:
    role: pilot-light
    nodes: 1
    node_cpu: 8 vCPU
    node_quota: 6
services:
  shop:
    deployment: shop-deployment
    replicas: {value: 3, tag: J, source: a guess, range: [2, 6]}
    slots: 16
    cpu: 2 vCPU
    own: {mean: 1 ms, sigma: 0.5}
    queue: {capacity: 50, patience: 50 ms}
  desk:
    deployment: desk-deployment
    replicas: 2
    slots: 16
    cpu: 2 vCPU
    own: {mean: 1 ms}
    queue: {capacity: 50, patience: 50 ms}
    value at risk: 60 %
database:
  home: here
  replica_region: there
  cpu: 8 vCPU
  slots: 32
  own: {mean: 2 ms}
  queue: {capacity: 50, patience: 50 ms}
  copies:
    models: {interval: 5 min, write spacing: 1 min}
calls:
  - {from: client, to: shop, mode: sync, timeout: 250 ms, retries: 2, back-off: 100 ms}
  - {from: shop, to: desk, mode: sync}
  - {from: desk, to: database, mode: sync, pool: 8}
client: {count: 20, ignore_ttl: 5 %}
dns: {ttl: 60 s}
monitoring:
  regions: [there]
  scrape: 15 s
  evaluation: 15 s
  alerts:
    - alert: ShopDown
      written: 'up{job="shop"} == 0'
      intended: 'sum(up{job="shop"}) == 0'
      for: 30 s
automation:
  region: there
  poll: 10 s
  procedure: take-over
parameters:
  people.decide: {lognormal: [4 min, 0.5], tag: M, source: our pages of last year}
"""

PROCEDURE = """\
procedure: answer
title: Somebody looks and restarts
actor: people
starts: page-answered
steps:
  - id: look
    title: Look
    verb: assess
    takes: people.manual_step
  - id: restart
    title: Restart the shop
    verb: restart
    target: {region: here, service: shop}
    needs: ["kubernetes:here"]
    takes: people.manual_step
  - id: grow
    title: Add pods
    verb: scale
    target: {region: here, service: shop}
    with: {replicas: 4}
    after: [look, restart]
"""

TAKE_OVER = """\
procedure: take-over
title: The automation promotes the replica
actor: automation
starts: automation-detects
steps:
  - {id: promote, title: Promote, verb: promote, target: {region: there}, takes: automation.step}
"""

OBJECTIVES = """\
objectives:
  - objective: rto.shop
    kind: recovery_time
    subject: shop
    title: The shop recovers
    limit: 10 min
    rationale: customers wait that long
  - objective: kpi.shop
    kind: latency
    subject: shop
    title: The shop is quick
    limit: 20 ms
    quantile: 95 %
    rationale: customers notice more
"""

SUITE = """\
suite: weekly
title: What we play each week
scenarios: [mine]
required: [rto.shop]
"""

FILES = {
    "scenarios/mine.yaml": SCENARIO,
    "topologies/small.yaml": TOPOLOGY,
    "procedures/answer.yaml": PROCEDURE,
    "procedures/take-over.yaml": TAKE_OVER,
    "objectives/own.yaml": OBJECTIVES,
    "suites/weekly.yaml": SUITE,
}


def write(folder: Path) -> Path:
    """Write one file of each kind below a folder."""
    for name, text in FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def edit(file: Path, old: str, new: str) -> int:
    """Replace a text that stands in a file once; return the line in which the new one begins."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file.name}"
    file.write_text(text.replace(old, new), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1
