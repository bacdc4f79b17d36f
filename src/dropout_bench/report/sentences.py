"""What the report says in sentences, each computed from the tables and saying no more than they."""

import math
from collections.abc import Iterable, Sequence

from dropout_bench.analysis.drawn import GAP, Compared
from dropout_bench.analysis.findings import Findings
from dropout_bench.analysis.generality import Generality
from dropout_bench.analysis.ledger import LedgerEntry
from dropout_bench.analysis.measured import Measured
from dropout_bench.analysis.registration import Registration
from dropout_bench.analysis.rule import Verdict
from dropout_bench.params.experiment import Experiment
from dropout_bench.report import text

HEADINGS = {
    Verdict.SUPPORTED: "Is so",
    Verdict.CONTRADICTED: "Is not so",
    Verdict.SAME: "Makes no relevant difference",
    Verdict.OPEN: "Open",
}
"""What stands above the claims of each verdict."""


def headline(found: Findings) -> str:
    """Say whether to use dropout, and at what rate."""
    best, draws = found.best, len(found.best.accuracy)
    seen = best.in_accuracy
    rate = best.cell.dropout[0]
    begin = "Dropout helps on average" if seen.gain.low > 0 else "No rate of dropout clearly helps"
    return (
        f"{begin}: over {draws} drawn settings rate {rate:g}, the best of {len(found.by_rate)}, "
        f"changes test accuracy by {text.interval(seen.gain)} points, and is better in "
        f"{text.share(seen.better)} of them. In one more setting it may be anything from "
        f"{text.ends(seen.one_more)} points."
    )


def rule_of_thumb(found: Findings) -> str:
    """Say what to do, as far as the intervals go."""
    better, worse = found.better, found.worse
    if better:
        rates = _rates(better)
        told = (
            f"Choose the rate on validation images between {rates[0]} and {rates[-1]}"
            if len(rates) > 1
            else f"Use a rate of {rates[0]}"
        )
        told += f": each of {text.listed(rates)} gains on average ({_gains(better)} points)"
    else:
        told = "Leave it out, or choose the rate on validation images with none among them"
    if worse:
        told += f"; {text.listed(_rates(worse))} costs accuracy ({_gains(worse)} points)"
    return f"{told}."


def what_decides(found: Findings) -> str:
    """Say what the gain goes with: the images, what was drawn, the gap without dropout."""
    parts = []
    if found.by_images:
        gains = (
            f"{text.interval(row.in_accuracy.gain)} with {row.cell.train_size:,}"
            for row in found.by_images
        )
        parts.append(f"By the number of training images the gain is {', '.join(gains)} points.")
    if found.dependence:
        parts.append(text.goes_with(found.dependence))
        if GAP in found.dependence.settings and GAP not in {f.name for f in found.dependence.found}:
            parts.append(
                "That it helps the more a network overfits without it is not shown here: the gain "
                "does not clearly go with the gap between training and validation."
            )
    return " ".join(filter(None, parts))


def _rates(rows: Iterable[Compared]) -> list[str]:
    return [f"{row.cell.dropout[0]:g}" for row in rows]


def _gains(rows: Iterable[Compared]) -> str:
    return ", ".join(f"{row.in_accuracy.gain.mean:+.2f}" for row in rows)


def counted(entries: Sequence[LedgerEntry]) -> str:
    """Say how many claims have which verdict."""
    verdicts = [entry.verdict for entry in entries]
    words = {
        Verdict.SUPPORTED: "are supported",
        Verdict.CONTRADICTED: "are contradicted",
        Verdict.SAME: "make no relevant difference",
        Verdict.OPEN: "are open",
    }
    told = [f"{verdicts.count(verdict)} {said}" for verdict, said in words.items()]
    return f"Of {len(entries)} claims {', '.join(told[:-1])} and {told[-1]}."


def scope(experiment: Experiment, draws: int) -> str:
    """Say of what a verdict is: of so many drawn settings, or of one."""
    if experiment.draw.names:
        return f"over {draws} drawn settings"
    return f"at {draws} seeds of one setting"


def effect(entry: LedgerEntry, experiment: Experiment) -> str:
    """Write the check that decides, with its effect and its scope."""
    one = entry.deciding
    told = f"{text.told(one.check)}, {text.effect(one)}, {scope(experiment, entry.draws)}"
    if entry.verdict is Verdict.SUPPORTED and one.small and not one.check.margin:
        told += "; less than what is of interest"
    return told


def wanted(entry: LedgerEntry) -> str:
    """Say what an open claim would take; "" for others."""
    if entry.verdict is not Verdict.OPEN:
        return ""
    if entry.reason:
        return entry.reason
    if math.isinf(entry.needed):
        return "no number of draws would tell the difference that is seen from its bound"
    draws = math.ceil(entry.needed)
    return f"about {draws:,} draws would decide it"


def registered(seen: Registration) -> str:
    """Say whether a claim was in Git before its runs, and since which commit."""
    since = f" ({seen.form.name[:7]}, {seen.form.date})" if seen.form else ""
    return f"{seen.state}{since}"


def history(seen: Registration) -> str:
    """Tell the commits: since when a claim has its present form, and when its first runs came."""
    told = f"In Git: {seen.state}"
    if seen.form:
        told += f"; in its present form since {seen.form.name} of {seen.form.date}"
    if seen.measured:
        told += f"; its first runs came in {seen.measured.name} of {seen.measured.date}"
    return told


def depends_on(seen: Generality | None) -> str:
    """Say whether a claim is general, or what it depends on; – where no setting is drawn."""
    if seen is None:
        return "–"
    if not seen.factors:
        return "not asked"
    names = dict.fromkeys(text.factor_title(factor.name) for factor in seen.found)
    return f"depends on {', '.join(names)}" if names else "general"


def one_more(measured: Measured, seen: Generality | None) -> str:
    """Write where one more setting would lie; – where no setting is drawn."""
    if seen is None or measured.check.often:
        return "–"
    return text.one_more(measured.check, seen.one_more)


def at_each_draw(measured: Measured) -> str:
    """Write the value at each draw, in order."""
    if measured.check.often:
        words = {1.0: "yes", 0.0: "no", 0.5: "tie"}
        return " · ".join(words[value] for value in measured.values.tolist())
    scale, digits, _ = text.unit_of(measured.check)
    return " · ".join(f"{scale * value:+.{digits}f}" for value in measured.values.tolist())
