"""The pages of docs/reference that say what can be written, and what the library says."""

from scenarios.files import words
from scenarios.files.catalogue import scenarios
from scenarios.files.checks.procedure import apis
from scenarios.files.describe import explained, sourced
from scenarios.files.explain import Meaning, meaning
from scenarios.files.library import LIBRARY, yaml_files
from scenarios.files.load import defaults, load, objectives
from scenarios.files.parse import parse
from scenarios.files.reference import prose
from scenarios.files.reference.keys import keys, table
from scenarios.files.schema import schemas, text
from scenarios.files.yaml import read
from scenarios.model.faults import FAULTS, Choice, Option
from scenarios.model.objective import Objective
from scenarios.model.parameters import TAGS, Parameter
from scenarios.model.procedure import VERBS, Procedure, VerbKind
from scenarios.record.kinds import GROUPS

_EXAMPLE = "region-loss-automatic"
_COLUMNS = ("name", "value", "range", "tag", "source")


def published() -> dict[str, str]:
    """Content of each generated file by its path in docs/reference."""
    pages = {
        "scenarios.md": _scenarios(),
        "topology.md": _page("Topologies", prose.TOPOLOGY, "## Keys\n", keys(schemas()["topology"])),
        "parameters.md": _parameters(),
        "objectives.md": _objectives(),
        "procedures.md": _procedures(),
        "faults.md": _faults(),
    }
    return pages | {f"schemas/{kind}.schema.json": text(schema) for kind, schema in schemas().items()}


def _page(title: str, *parts: str) -> str:
    return "\n".join([f"# {title}\n", prose.GENERATED, *parts])


def _scenarios() -> str:
    example = (LIBRARY / "scenarios" / f"{_EXAMPLE}.yaml").read_text(encoding="utf-8")
    listed = [
        (f"`{s.name}`", s.title, s.tests, "; ".join(s.runbook)) for s in scenarios() if s.path.is_relative_to(LIBRARY)
    ]
    facts = [(f"`{fact.kind}`", group.subject, fact.means) for group in GROUPS for fact in group.facts]
    return _page(
        "Scenarios",
        prose.SCENARIOS,
        f"```yaml\n{example}```\n",
        prose.RULES,
        prose.UNITS,
        prose.EDITOR,
        "## Keys\n",
        keys(schemas()["scenario"]),
        "## Suites\n\nA suite names scenarios that are played together, and objectives that must have been judged.\n",
        keys(schemas()["suite"]),
        "## Facts that `when` can wait for\n",
        table(("mark", "subject", "means"), facts),
        "## Scenarios of the library\n",
        table(("name", "title", "what it tests", "sections of the runbook"), listed),
    )


def _parameters() -> str:
    resolved, known = load(_EXAMPLE), defaults()
    sections: dict[str, list[Parameter]] = {}
    for parameter in known.values():
        sections.setdefault(parameter.name.partition(".")[0], []).append(parameter)
    switches = [(f"`{p.name}`", words.written(p), p.why.removeprefix("off: ")) for p in sections.pop("switches")]
    sizes = [p for name, p in resolved.parameters.by_name.items() if name not in known]
    return _page(
        "Parameters",
        prose.PARAMETERS,
        table(("tag", "means"), [(f"`{tag}`", means) for tag, means in TAGS.items()]),
        *(f"## {name}\n\n{table(_COLUMNS, _rows(found))}" for name, found in sections.items()),
        prose.SWITCHES,
        table(("switch", "default", "when off"), switches),
        f"## Sizes of the topology `{resolved.topology.topology}`\n",
        table(_COLUMNS, _rows(sizes)),
    )


def _rows(parameters: list[Parameter]) -> list[tuple[str, ...]]:
    return [(f"`{p.name}`", words.written(p), words.held_across(p), p.tag, sourced(p)) for p in parameters]


def _objectives() -> str:
    known = objectives()
    promised = [(f"`{o.objective}`", o.title, words.limit(o), words.source(o)) for o in known]
    alike: dict[Meaning, list[Objective]] = {}
    for objective in known:
        alike.setdefault(meaning(objective), []).append(objective)
    return _page(
        "Objectives",
        prose.OBJECTIVES,
        table(("objective", "title", "limit", "who promises it"), promised),
        "## How each is judged\n",
        *(_explanation(group) for group in alike.values()),
        "## Keys\n",
        keys(schemas()["objectives"]),
    )


def _explanation(alike: list[Objective]) -> str:
    told = explained(alike[0])
    names = ", ".join(f"`{objective.objective}`" for objective in alike)
    return (
        f"### {names}\n\n{told.definition}\n\n*How it is measured.* {told.measured}\n\n"
        f"*When it is judged.* {told.exercised}\n\n*What makes it INCONCLUSIVE.* {told.inconclusive}\n"
    )


def _procedures() -> str:
    verbs = [
        (f"`{name}`", kind.title, _target(kind), _options(kind), ", ".join(kind.worlds)) for name, kind in VERBS.items()
    ]
    library = [parse(Procedure, read(file)) for file in yaml_files(LIBRARY / "procedures")]
    there = ", ".join(f"`{api}`" for api in apis(load(_EXAMPLE).topology))
    return _page(
        "Procedures",
        prose.PROCEDURES,
        "## Verbs\n",
        table(("verb", "what it does", "target", "with", "played by"), verbs),
        f"## APIs\n\nA step waits for the APIs that it `needs`. On the topology `grandmodel` there are {there}.\n",
        "## Keys\n",
        keys(schemas()["procedure"]),
        "## Procedures of the library\n",
        *(_procedure(procedure) for procedure in library),
    )


def _target(kind: VerbKind) -> str:
    region = "`region`" if kind.region else "`region` (may)"
    return f"{region}, `service` (may)" if kind.service else region


def _options(kind: VerbKind) -> str:
    return "; ".join(f"`{o.name}`: {o.title}{'' if o.needed else ' (may)'}" for o in kind.options)


def _procedure(procedure: Procedure) -> str:
    rows = [
        (str(number), step.title, f"`{step.verb}`", ", ".join(step.needs), step.takes or "", step.undone_by)
        for number, step in enumerate(procedure.steps, 1)
    ]
    who = f"{procedure.title}. Who: {procedure.actor}; starts: {procedure.starts}."
    who += f" Runbook: {'; '.join(procedure.runbook)}."
    steps = table(("", "step", "verb", "needs", "takes", "undone by"), rows)
    return f"### {procedure.procedure}\n\n{who}\n\n{steps}"


def _faults() -> str:
    rows = [
        (
            f"`{kind.name}`",
            kind.title,
            ", ".join(f"`{key}`" for key in kind.target),
            kind.hits,
            "yes" if kind.lifted else "no, it happens at an instant",
            ", ".join(kind.worlds),
            "; ".join(_option(option) for option in kind.options),
        )
        for kind in FAULTS.values()
    ]
    columns = ("fault", "what happens", "target", "hits", "can be lifted (`until`)", "played by", "with")
    return _page("Faults", prose.FAULTS, table(columns, rows))


def _option(option: Option | Choice) -> str:
    if isinstance(option, Choice):
        return f"`{option.name}`: {option.title} ({', '.join(option.words)}), default {option.default}"
    return f"`{option.name}`: {option.title}, {option.least:g} to {option.most:g}, default {option.default:g}"
