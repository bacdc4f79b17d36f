"""What the report says in sentences, each computed from the tables and saying no more than they."""

import math
from collections.abc import Iterable, Sequence

from dropout_bench.analysis.drawn import GAP, Compared
from dropout_bench.analysis.effects import Effect
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
    Verdict.OPEN: "Open, not decided yet",
}
"""What stands above the claims of each verdict."""

FAR = 1000
"""More draws than these nobody would train."""

LEANINGS = {
    1: "it looks so, but not clearly enough for a verdict",
    -1: "it looks like the opposite, but not clearly enough for a verdict",
    0: "no sign either way",
}
"""What stands above open claims, by which way they lean."""


def leaning(entry: LedgerEntry) -> int:
    """Say which way a claim leans by its intervals alone: 1 to what it says, −1 against it, or 0.

    These are of each check by itself, where verdicts answer for the whole ledger at once.
    """
    sides = [side for measured in entry.measured for side in measured.seen]
    if any(side.high < 0 for side in sides):
        return -1
    return int(all(side.low > 0 for side in sides))


def headline(found: Findings) -> str:
    """Say whether to use dropout, by the rate that validation chooses, else by the best one.

    A best rate that is found on the test images is flattered by having been the best there.
    """
    if found.chosen:
        seen, how = found.chosen.in_accuracy, "with its rate chosen on validation images"
        draws = len(found.chosen.accuracy)
    else:
        seen, draws = found.best.in_accuracy, len(found.best.accuracy)
        how = f"at rate {found.best.cell.dropout[0]:g}, the best of {len(found.by_rate)} here"
    begin = (
        "Dropout helps on average"
        if seen.gain.low > 0
        else "Dropout harms on average"
        if seen.gain.high < 0
        else "Dropout does not clearly help"
    )
    return (
        f"{begin}: {how}, it changes the test accuracy by {text.interval(seen.gain)} percentage "
        f"points, over {draws} settings drawn at random. It is better in {text.share(seen.better)} "
        f"of them, and in a setting of your own anything from {text.ends(seen.one_more)} points is "
        "to be expected."
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
    """Say what the gain goes with: what was drawn, and the gap without dropout."""
    if not found.dependence or not found.dependence.factors:
        return ""
    if found.dependence.found:
        return text.goes_with(found.dependence)
    asked = dict.fromkeys(text.factor_title(each.name) for each in found.dependence.factors)
    return (
        f"Nothing that was varied clearly does: {text.listed([*asked], 'or')}. That dropout helps "
        "where a network overfits is widely said; these runs do not show it."
        if GAP in found.dependence.settings
        else f"Nothing that was varied clearly does: {text.listed([*asked], 'or')}."
    )


def as_published(those: Sequence[tuple[Effect, Experiment]]) -> str:
    """Say what dropout changes in the published settings, which end after some epochs; "" if none.

    Settings without a number of epochs of their own are none of these.
    """
    fixed = [(effect, each.epochs) for effect, each in those if each.epochs and not each.converges]
    if not fixed:
        return ""
    told = text.listed([f"{100 * effect.difference.mean:+.2f}" for effect, _ in fixed])
    epochs = [epochs for _, epochs in fixed]
    return (
        f"In the tutorials' own settings, trained again, dropout changes the test accuracy by "
        f"{told} points. They end after {text.span((min(epochs), max(epochs)))} epochs; the "
        "settings above train until the validation loss no longer falls."
    )


def _rates(rows: Iterable[Compared]) -> list[str]:
    return [f"{row.cell.dropout[0]:g}" for row in rows]


def _gains(rows: Iterable[Compared]) -> str:
    return ", ".join(f"{row.in_accuracy.gain.mean:+.2f}" for row in rows)


def counted(entries: Sequence[LedgerEntry]) -> str:
    """Say how many claims have which verdict, and what open means."""
    verdicts = [entry.verdict for entry in entries]
    words = {
        Verdict.SUPPORTED: "are supported",
        Verdict.CONTRADICTED: "contradicted",
        Verdict.SAME: "shown to make no relevant difference",
    }
    told = text.listed([f"{verdicts.count(verdict)} {said}" for verdict, said in words.items()])
    count = verdicts.count(Verdict.OPEN)
    leaning_so = sum(leaning(e) > 0 for e in entries if e.verdict is Verdict.OPEN)
    return (
        f"Of {len(entries)} claims {told}. The other {count} are open: not decided by a test that "
        f"answers for all {len(entries)} at once, though {leaning_so} of them look so."
        if count
        else f"Of {len(entries)} claims {told}."
    )


def scope(experiment: Experiment, draws: int) -> str:
    """Say of what a verdict is: of so many drawn settings, or of one."""
    if experiment.draw.names:
        return f"over {draws} drawn settings"
    return f"at {draws} seeds of one setting"


def effect(entry: LedgerEntry, experiment: Experiment) -> str:
    """Write the check that decides, with its effect and its scope."""
    one = entry.deciding
    told = (
        f"expected {text.told(one.check)}; found {text.effect(one)}, "
        f"{scope(experiment, entry.draws)}"
    )
    if entry.verdict is Verdict.SUPPORTED and one.small and not one.check.margin:
        told += "; less than what is of interest"
    return told


def wanted(entry: LedgerEntry) -> str:
    """Say what an open claim would take, by the differences that are seen; "" for others."""
    if entry.verdict is not Verdict.OPEN:
        return ""
    if entry.reason:
        return entry.reason
    if math.isinf(entry.needed):
        return "no number of draws would tell the difference that is seen from its bound"
    draws = math.ceil(entry.needed)
    if draws > FAR:
        return f"over {FAR:,} draws would decide it"
    if draws <= entry.draws:
        return "a few more draws would decide it"
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


def then_one_more(measured: Measured, seen: Generality) -> str:
    """Write where one more setting would lie, after a semicolon; "" where that has no unit."""
    if measured.check.often:
        return ""
    return f"; one more setting: {text.one_more(measured.check, seen.one_more)}"


def at_each_draw(measured: Measured) -> str:
    """Write the value at each draw, in order."""
    if measured.check.often:
        words = {1.0: "yes", 0.0: "no", 0.5: "tie"}
        return " · ".join(words[value] for value in measured.values.tolist())
    scale, digits, _ = text.unit_of(measured.check)
    return " · ".join(f"{scale * value:+.{digits}f}" for value in measured.values.tolist())
