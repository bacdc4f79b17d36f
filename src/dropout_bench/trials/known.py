"""What a newcomer is compared with: the committed tables of the experiment about kinds."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dropout_bench.analysis.claims import load_claims
from dropout_bench.errors import BenchError
from dropout_bench.params.arms import Arm
from dropout_bench.params.experiment import Experiment
from dropout_bench.params.file import Params, load_params
from dropout_bench.tables.read import Results, read_results, read_table

EXPERIMENT = "kinds"
"""The experiment whose draws and arms a newcomer is compared on."""


@dataclass(frozen=True)
class Known:
    """The kinds of dropout with what was measured of them, and by which rule differences are told.

    Attributes:
        results: the tables, of as many draws as they have.
        level: of the verdicts.
        smallest: by quantity, the smallest difference of interest.
    """

    results: Results
    level: float
    smallest: Mapping[str, float]

    @property
    def experiment(self) -> Experiment:
        """The experiment with as many draws as its tables have."""
        return self.results.experiment


def known(root: Path) -> Known:
    """Read the tables of a project.

    Raises:
        BenchError: it has no such experiment, or its tables are missing or damaged.
    """
    params = load_params(root / Params.file)
    experiment = params.experiment(EXPERIMENT)
    labels = [cell.label for cell in experiment.cells()]
    if not experiment.draws or not experiment.has_validation or labels != [*experiment.arms]:
        raise BenchError(
            f"{root / Params.file}: {EXPERIMENT}: newcomers are compared with arms over draws, "
            "without another axis, and chosen on validation"
        )
    claims = load_claims(root / "claims.yaml", params.all_experiments, lambda _: None)
    reports = root / params.reports_of(EXPERIMENT)
    # Where params.yaml asks for more draws by now, those that were measured are compared with.
    path = reports / "results" / EXPERIMENT / "runs.csv"
    try:
        count = int(read_table(path)["seed"].nunique())
    except (OSError, ValueError, KeyError) as error:
        raise BenchError(f"{path}: cannot be read; run: dvc repro") from error
    results = read_results(reports, EXPERIMENT, with_arms(experiment, count, experiment.arms))
    return Known(results, claims.level, claims.smallest)


def with_arms(experiment: Experiment, draws: int, arms: Mapping[str, Arm]) -> Experiment:
    """Return an experiment with other draws and arms, all else being the same."""
    fields = type(experiment).model_fields
    given = {
        fields[name].alias or name: getattr(experiment, name)
        for name in experiment.model_fields_set
    }
    return Experiment.model_validate(given | {"draws": draws, "arms": dict(arms)})
