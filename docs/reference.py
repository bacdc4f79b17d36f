"""Every key of ``params.yaml`` and ``claims.yaml``, from the schema: ``docs/keys.md``.

``python docs/reference.py`` prints it; ``make docs`` writes it.
"""

import inspect
from typing import Any

from dropout_bench.analysis.claims import Check, Claim, Claims, Figure, Published
from dropout_bench.params.experiment import MEASURES as EXPERIMENT_MEASURES
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.file import Params
from dropout_bench.params.options import Options
from dropout_bench.params.values import Normalise, Strict
from dropout_bench.params.variants import VARIANTS
from dropout_bench.quantities.quantity import MEASURES, QUANTITIES, READ, Quantity

_SECTIONS: tuple[tuple[str, str, type[Strict]], ...] = (
    ("params.yaml", "", Params),
    ("an experiment", "", Experiment),
    ("`normalise`", "", Normalise),
    (
        "options",
        "They stand in an experiment, for all of it, or in a combination of its `with`.",
        Options,
    ),
    ("claims.yaml", "", Claims),
    ("an entry of `published`", "", Published),
    ("one of its `figures`", "", Figure),
    ("an entry of `claims`, `must_hold` or `timed`", "", Claim),
    ("one of its `checks`", "", Check),
)


def keys_markdown() -> str:
    """Write the tables."""
    lines = [
        "# Every key",
        "",
        "Made from the schema by `make docs`; a test compares. An unknown key is an error.",
    ]
    for title, told, model in _SECTIONS:
        level = "##" if title.endswith(".yaml") else "###"
        lines += [
            "",
            f"{level} {title}",
            "",
            told or (model.__doc__ or "").split("\n\n")[0].replace("``", "`"),
            "",
        ]
        lines += ["| key | what it is | value | default |", "|---|---|---|---|"]
        schema = model.model_json_schema(by_alias=True)
        inherited = Options.model_fields if model is Experiment else {}
        required = schema.get("required", ())
        for key, field in schema["properties"].items():
            if key not in inherited:
                told_default = "required" if key in required else _default(field)
                meaning = field["description"].replace("``", "`").replace(":meth:", "")
                meaning = meaning.replace("|", r"\|").replace("\n", " ")
                value = _value(field, schema.get("$defs", {}))
                lines.append(f"| `{key}` | {meaning} | {value} | {told_default} |")
    for what, names in (("variants", VARIANTS), ("measures", EXPERIMENT_MEASURES)):
        lines += ["", f"The {what}: {', '.join(f'`{name}`' for name in sorted(names))}."]
    lines += ["", "## Quantities that a claim can name", "", *_quantities()]
    return "\n".join(lines)


def _quantities() -> list[str]:
    """Tell each function's quantities below its words."""
    by_function: dict[str, list[Quantity]] = {}
    for name, entry in QUANTITIES.items():
        function = MEASURES.get(entry.measure, READ[name])
        paragraphs = inspect.cleandoc(function.__doc__ or "").replace("``", "`").split("\n\n")
        told = "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)
        where = f"Measured where `measures` has `{entry.measure}`. " if entry.measure else ""
        by_function.setdefault(where + told, []).append(entry)
    lines = []
    for told, entries in by_function.items():
        lines += [told, "", "| `metric` | in words | unit | `at` | `epoch` | better |"]
        lines += ["|---|---|---|---|---|---|"]
        lines += [
            f"| `{entry.name}` | {entry.title} | {entry.unit or '–'} | {entry.at or '–'} "
            f"| {'yes' if entry.epoch else '–'} | {_BETTER[entry.higher_is_better]} |"
            for entry in entries
        ]
        lines.append("")
    return lines


_BETTER = {True: "higher", False: "lower", None: "–"}


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    if default in (None, "", [], {}, ()) or isinstance(default, dict):
        return "–"
    if isinstance(default, list):
        return f"`{', '.join(map(str, default))}`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


_NAMES = {"integer": "whole number", "string": "text", "boolean": "true or false"}
_BOUNDS = {
    "exclusiveMinimum": "above",
    "minimum": "at least",
    "exclusiveMaximum": "below",
    "maximum": "at most",
}


def _value(field: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Say what values a key takes."""
    if "anyOf" in field:
        parts = [_value(part, definitions) for part in field["anyOf"] if part != {"type": "null"}]
        return " or ".join(dict.fromkeys(parts))
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if "$ref" in field:
        return "see below"
    kind = field.get("type", "")
    if "prefixItems" in field.get("items", {}):  # pairs of a name and its value
        return "mapping, by name"
    if kind == "array":
        return f"list of: {_value(field.get('items', {}), definitions)}"
    if kind == "object":
        return "mapping" if field.get("additionalProperties") is True else "mapping, by name"
    bounds = [f"{word} {field[name]:.10g}" for name, word in _BOUNDS.items() if name in field]
    return " ".join([_NAMES.get(kind, kind), ", ".join(bounds)]).strip()


if __name__ == "__main__":
    print(keys_markdown(), end="")
