"""Paragraphs of the generated pages that are written by hand."""

UNITS = """\
## Units

A quantity is written with its unit; a number alone is an error where a unit is due.

| quantity | units | example |
|---|---|---|
| duration | `us` `ms` `s` `min` `h` `d` | `5 min`, `0.5 ms` |
| rate | `/s` `/min` `/h` | `10500/s` |
| share | `%` | `95 %` |
| CPU | `vCPU` | `2 vCPU` |
| time of day, UTC | | `"02:00"` |

Files are plain YAML 1.2 in UTF-8, at most 1 MB. Anchors, aliases, tags, duplicate keys and a second document
are errors: a reader should see a value where it counts.
"""
EDITOR = """\
## In an editor

An editor that speaks to yaml-language-server (VS Code with the YAML extension, Neovim, Helix, JetBrains)
completes keys and underlines mistakes when the file begins with a comment that names the schema:

```yaml
# yaml-language-server: $schema=./scenario.schema.json
scenario: my-scenario
```

The schemas lie in [schemas/](schemas/); an installed `gameday` prints them: `gameday show --schema scenario`, to be
kept as `scenario.schema.json` beside your files.

A schema knows one file. What spans files (names that must exist, cycles, times that overlap) is found by
`gameday check`.
"""
RULES = """\
## Rules

* A name is a file's name without `.yaml`. It is looked for beside the file that names it, in the folders of
  `scenario_paths` (and in their folders `scenarios`, `topologies`, `procedures`, `objectives`, `suites`), then
  in the library.
* Each entry of the timeline happens `at` a time or `when` a fact occurs, and is a `fault` or a `change`.
* The same fault on the same target may not hold twice at once, and in a lost region nothing else can be broken.
* `set` changes parameters and sizes for this scenario, by the names of `gameday show SCENARIO --parameters`;
  `--set` on the command line comes on top.
* Every objective is judged whose subject the topology contains and whose trigger the timeline contains. To
  leave out one that applies, give the reason under `not_judged`.
"""
GENERATED = "This page is generated from the code and the library (`make docs`).\n"
SCENARIOS = """\
A scenario says what load runs, what breaks when, which procedure answers, and where it can be played.
`gameday show SCENARIO` says it in words, `gameday check FILE` says what is wrong with it.
"""
TOPOLOGY = """\
A topology says what the system is: regions, services, call graph, database, monitoring, automation, people.

A single value may carry its source: `{value: 32, tag: J, source: ..., range: [16, 64], why: ...}`. It is then
listed by `gameday show SCENARIO --parameters`. A value of judgement (J) or folklore (F) needs a range, across
which a verdict must hold. `parameters` changes [parameters](parameters.md) for this topology.

A topology that differs from another in a few values needs no file of its own: `set:` in the scenario or `--set`
changes any value by its dotted path, `--set regions.us-west-2.role=warm --set
regions.us-west-2.warm_replicas=2`.
"""
PARAMETERS = """\
Every delay, rate and probability of the twin, with what stands behind it, so that you see which to replace
first. Any of them can be changed with `--set`, in a scenario (`set`) or in a topology (`parameters`):
`people.acknowledge='3 min'`, `people.acknowledge='lognormal(3 min, 0.5)'`,
`dns.change_propagation='uniform(10 s, 30 s)'`, and in a file also
`{lognormal: [3 min, 0.5], tag: M, source: our own pages of last year}`.

The sources are sections of the project's calibration. The range is what a verdict must hold across: of the
value, of the median of a lognormal, of the middle of a uniform.
"""
SWITCHES = """\
## switches

Each mechanism of the twin can be switched off, to see what it changes: `--set switches.fencing=off`.
"""
OBJECTIVES = """\
What the runbook promises, each with its section, and the house rules with their reason. Every one that applies
is judged; `gameday explain OBJECTIVE` says how, on a terminal. Objectives of your own stand in files in a
folder `objectives` of one of your `scenario_paths`.
"""
PROCEDURES = """\
A procedure is data: steps in order, who acts, what each step needs to be up, how it is verified and undone. A
step without `after` follows the one above it. `takes` names a [parameter](parameters.md): a person is busy for
that long, makes mistakes, and finds half of them when verifying. A step whose API does not answer waits, and
tries again now and then.
"""
FAULTS = """\
What can break. `hits` says what the fault's blast radius is: it decides which objectives are exercised. A fault
that can be lifted is lifted after `until`, or after the judged interval (`until: end`), or by a procedure or
the system itself when `until` is left out. `drop-table` cannot be lifted: only a restore mends it.
"""
