"""The house: which room may ask which."""

from pathlib import Path

import pytest

from dropout_bench.catalogue.source import PACKAGE, imports_of, modules_in

FLOORS = (
    {"errors", "files", "_version", "torchvision_schemas", "numerics", "streams", "sharing"},
    {"pinned"},
    {"catalogue", "positions"},
    {"params"},
    {"data"},
    {"models"},
    {"engine"},
    {"training"},
    {"quantities"},
    {"tables"},
    {"tensorboard"},
    {"evaluation"},
    {"analysis"},
    {"report"},
    {"compare", "pipeline", "stages"},
    {"deepening", "verify", "trials", "init"},
    {"cli"},
)
"""From the ground up; rooms of one floor do not ask each other, but on the ground."""

FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = [module for module in modules_in("") if module]
WITHOUT_TORCH = {"analysis", "catalogue", "params", "quantities", "report", "tables"}


def room(module: str) -> str:
    return module.partition(".")[0]


def test_every_room_has_a_floor() -> None:
    assert {room(module) for module in MODULES} == set(FLOOR)


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_downwards(module: str) -> None:
    for other in imports_of(module):
        if other and room(other) != room(module):
            below = FLOOR[room(other)] < FLOOR[room(module)]
            assert below or FLOOR[room(module)] == 0, f"{module} imports {other}"


def test_modules_of_a_room_go_in_no_circle() -> None:
    waiting = {
        module: {other for other in imports_of(module) if other != room(other)}
        for module in MODULES
    }
    while waiting:
        free = [module for module, needs in waiting.items() if not needs & waiting.keys()]
        assert free, f"a circle among {sorted(waiting)}"
        for module in free:
            del waiting[module]


@pytest.mark.parametrize("folder", sorted(WITHOUT_TORCH))
def test_a_room_that_does_without_torch_imports_it_in_no_head(folder: str) -> None:
    for file in Path(PACKAGE, folder).rglob("*.py"):
        heads = [
            line for line in file.read_text().splitlines() if line.startswith(("import ", "from "))
        ]
        assert not [
            line for line in heads if line.split()[1].partition(".")[0] in {"torch", "lightning"}
        ]
