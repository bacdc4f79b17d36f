"""How a class from outside is found, and what travels with it."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from outsiders import LAYER, VARIANT, write

from dropout_bench.errors import BenchError
from dropout_bench.models.base import MLP
from dropout_bench.models.variants import variant_class
from dropout_bench.models.variants.dropout import DropoutMLP
from dropout_bench.trials.newcomer import Newcomer, find
from dropout_bench.trials.placed import PLACES

HELPED = LAYER.replace("from torch import nn", "from torch import nn\nfrom helper import scaled")
HELPED = HELPED.replace("/ (1 - self.p)", "* scaled(self.p)")
HELPER = "import json\nfrom deeper.still import one\n\ndef scaled(p):\n    return one / (1 - p)\n"


def logits(newcomer: Newcomer, rate: float = 0.5) -> torch.Tensor:
    newcomer.install()
    torch.manual_seed(0)
    network = variant_class(newcomer.variant)(784, 10, hidden=(16, 8), dropout=rate)
    output: torch.Tensor = network(torch.ones(4, 28, 28))
    return output


def test_a_layer_stands_where_it_is_placed(tmp_path: Path) -> None:
    path = write(tmp_path, my_dropout=LAYER)
    found = {place: find(str(path), place) for place in PLACES}
    layers = {
        place: [
            [type(module).__name__ for module in layer]
            for layer in each.load()(784, 10, (16, 8), 0.5).hidden_layers()
        ]
        for place, each in found.items()
    }
    linear = "PortableLinear"
    assert layers["after-activation"] == [[linear, "ReLU", "MyDropout"]] * 2
    assert layers["before-activation"] == [[linear, "MyDropout", "ReLU"]] * 2
    assert layers["before-linear"] == [["MyDropout", linear, "ReLU"]] * 2
    assert layers["input"] == [["MyDropout", linear, "ReLU"], [linear, "ReLU"]]
    assert len({each.variant for each in found.values()}) == len(PLACES)


def test_a_variant_is_taken_as_it_is_and_a_copy_of_dropout_is_dropout(tmp_path: Path) -> None:
    newcomer = find(str(write(tmp_path, same=VARIANT)))
    assert (newcomer.name, newcomer.place, newcomer.counterpart) == ("same", None, "standard")
    expected = DropoutMLP(784, 10, hidden=(16, 8), dropout=0.5)
    assert torch.equal(logits(newcomer), expected(torch.ones(4, 28, 28)))


def test_files_of_its_own_travel_and_are_part_of_its_digest(tmp_path: Path) -> None:
    path = write(tmp_path, my=HELPED, helper=HELPER, bystander="x = 1")
    write(tmp_path / "deeper", still="one = 1")
    first = find(str(path))
    assert [*first.sources.texts] == ["deeper.still", "helper", "my"]
    expected = logits(first)
    write(tmp_path, helper=HELPER + "\n# a comment\n", bystander="x = 2")
    assert find(str(path)).variant == first.variant
    write(tmp_path / "deeper", still="one = 2")
    other = find(str(path))
    assert other.variant != first.variant
    # Both versions live in one process, and neither meets a module of the name "helper".
    assert not torch.equal(logits(other), expected)
    assert torch.equal(logits(first), expected)
    assert "helper" not in sys.modules


def test_a_file_of_a_package_imports_from_it_as_at_home(tmp_path: Path) -> None:
    package = tmp_path / "pack" / "within"
    write(package, my=HELPED.replace("from helper", "from ..helper"), __init__="")
    write(tmp_path / "pack", helper="scaled = lambda p: 1 / (1 - p)", __init__="")
    newcomer = find(str(package / "my.py"))
    assert [*newcomer.sources.texts] == ["pack", "pack.helper", "pack.within", "pack.within.my"]
    assert logits(newcomer).isfinite().all()


def test_a_module_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "pack", my=LAYER + VARIANT, __init__="")
    monkeypatch.chdir(tmp_path)
    assert find("pack.my:MyDropout").place == "after-activation"
    assert find("pack.my").cls == "Same"  # a variant goes before the layers that it may use
    assert "pack.my" not in sys.modules


def test_an_entry_point_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, of_theirs=LAYER)
    about = tmp_path / "theirs-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[dropout_bench.variants]\ntheirs = of_theirs:MyDropout\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert find("theirs").name == "theirs"
    with pytest.raises(BenchError, match=r'thiers: no file.*did you mean "theirs"\?'):
        find("thiers")


NO_RATE = (
    "from torch import nn\nclass Plain(nn.Module):\n    def __init__(self): super().__init__()"
)
GREEDY = LAYER.replace("def __init__(self, p)", "def __init__(self, p, sigma)")


@pytest.mark.parametrize(
    ("text", "wanted", "told"),
    [
        ("x =", "", r"my.py, line 1: this is no Python"),
        ("x = 1", "", r"my.py: no class to try"),
        (NO_RATE, "", r"no class to try"),
        (NO_RATE, ":Plain", r"Plain takes no rate; name the parameter p"),
        (
            LAYER + LAYER.replace("MyDropout", "Other"),
            "",
            r"2 classes could be meant .*my.py:MyDro",
        ),
        (LAYER, ":MyDropuot", r'no class MyDropuot; did you mean "MyDropout"'),
        (LAYER, ":torch", r"neither a torch.nn.Module nor a variant"),
        (GREEDY, "", r"MyDropout asks for sigma beside its rate \(p\); give it a default"),
        ("import nowhere_at_all", "", r"cannot be loaded \(ModuleNotFoundError: No module named"),
        ("1 / 0", "", r"cannot be loaded \(ZeroDivisionError"),
        ("from .. import x", "", r"cannot be loaded \(ImportError"),
    ],
)
def test_what_cannot_be_tried_is_told_in_a_line(
    text: str, wanted: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(BenchError, match=told) as caught:
        find(f"{write(tmp_path, my=text)}{wanted}")
    assert "\n" not in str(caught.value)


def test_more_that_cannot_be_tried(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="there is no such file"):
        find(str(tmp_path / "nowhere.py"))
    with pytest.raises(BenchError, match=r"no module no\.where"):
        find("no.where:Class")
    path = write(tmp_path, same=VARIANT)
    with pytest.raises(BenchError, match="drop --place"):
        find(str(path), "input")
    with pytest.raises(BenchError, match='no place "inputs"; did you mean "input"'):
        find(str(path), "inputs")  # type: ignore[arg-type]
    with pytest.raises(BenchError, match='"1" is no name'):
        find(str(path), None, "1")


def test_its_parameters_shift_no_weights_of_the_network(tmp_path: Path) -> None:
    drawing = LAYER.replace("self.p = p", "self.p = p; self.w = nn.Parameter(torch.randn(3))")
    drawn = find(str(write(tmp_path, my=drawing))).load()(784, 10, (16, 8), 0.5, seed=3)
    expected = variant_class("standard")(784, 10, (16, 8), 0.0, seed=3)
    pairs = zip(drawn.linears, expected.linears, strict=True)
    assert all(torch.equal(one.weight, other.weight) for one, other in pairs)


def test_it_may_ask_for_the_width_and_for_a_stream(tmp_path: Path) -> None:
    asking = LAYER.replace("(self, p)", "(self, p, features, masks)")
    asking = asking.replace("self.p = p", "self.p = p; self.asked = features, masks")
    for place, widths in (("after-activation", [16, 8]), ("before-linear", [784, 16])):
        network: MLP = find(str(write(tmp_path, my=asking)), place).load()(784, 10, (16, 8), 0.5)  # type: ignore[arg-type]
        asked = [vars(each)["asked"] for each in network.modules() if hasattr(each, "asked")]
        assert [width for width, _ in asked] == widths
        assert asked[0][1] is not asked[1][1]


def test_the_package_s_own_things_load_nothing_until_asked_for() -> None:
    code = "import sys, dropout_bench; print({'torch', 'pandas', 'rich'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
