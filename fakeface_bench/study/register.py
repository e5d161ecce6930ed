"""Registers the model of a study, and makes it the champion where it passes the gate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import pi
from pathlib import Path

import numpy as np

from fakeface_bench.analysis.comparison import (
    SIGNIFICANT,
    Comparison,
    compare_studies,
    effort_of,
)
from fakeface_bench.config import BEST, DIGEST_DIGITS, MARGIN, RegisterConfig
from fakeface_bench.evaluation.intervals import percentile, roc_auc_estimate
from fakeface_bench.evaluation.paired import mcnemar, resampled_metrics
from fakeface_bench.records.estimate import Estimate
from fakeface_bench.records.registration import Finding, Registration
from fakeface_bench.records.study import ComparedStudy, LeftOut
from fakeface_bench.report.comparison_tables import format_metrics
from fakeface_bench.report.model_card import with_elsewhere
from fakeface_bench.resolve import RequestLike, checked
from fakeface_bench.study.finished import (
    format_images,
    model_card_of,
    newest_studies,
    read_studies,
    with_same_paths,
)
from fakeface_bench.support.errors import DataError, FakefaceError, ModelError, UsageError
from fakeface_bench.support.progress import Progress
from fakeface_bench.tracking import names
from fakeface_bench.tracking.lifetime import tracked_run
from fakeface_bench.tracking.registry import (
    MAX_DESCRIPTION,
    Version,
    champion_of,
    check_registry,
    describe_version,
    detector_of,
    make_champion,
    register_version,
    reloaded_scores,
    tries_on,
)
from fakeface_bench.tracking.runs import tag_run
from fakeface_bench.tracking.store import open_store
from fakeface_bench.tracking.studies import StudyRun, find_studies, found_elsewhere, study_named


@dataclass(frozen=True, slots=True)
class Best:
    """A study that was chosen, and how: candidates, metrics and what was left out, in lines."""

    study: StudyRun
    description: tuple[str, ...]


def best_study(
    experiment_id: str, data: str, progress: Progress, others: str = "name its run to take it"
) -> Best:
    """Return the cheapest study shown to be within `MARGIN` of the best.

    Only studies of all images of a dataset are chosen among; of those, the ones clearly better
    than chance where there are any. Studies without a model that can be loaded are passed over.

    `data` and `others` are those of `newest_studies`.
    """
    chosen = newest_studies(find_studies(experiment_id), data, others)
    if all(study.limit for study in chosen.studies):
        parts = "; ".join(
            f"{study.name} used {format_images(study.limit)} (run {study.run_id})"
            for study in chosen.studies
        )
        raise UsageError(
            f"best chooses among studies of all images, and of {chosen.studies[0].dataset} there "
            f"is none: {parts}. Name a run to take it all the same, or run one without limit."
        )
    having = [study for study in chosen.studies if _has_detector(study, progress)]
    if not having:
        raise UsageError("no finished study has a model that can be loaded; run one again.")
    studies = with_same_paths(list(read_studies(having, progress)))
    comparison, unable = _compare_better_than_chance(compare_studies(studies))
    run_id = comparison.recommended.study.identity.run_id
    study = next(study for study in having if study.run_id == run_id)
    return Best(study, tuple(_describe_choice(study, comparison, (*unable, *chosen.left_out))))


def _compare_better_than_chance(comparison: Comparison) -> tuple[Comparison, list[LeftOut]]:
    """Compare only studies that are clearly better than chance, if any; return the others too.

    On few images a network that has learned nothing may be the most accurate.
    """
    able: list[ComparedStudy] = []
    unable = []
    for entry in comparison.entries:
        if clearly_beats_chance(entry.roc_auc):
            able.append(entry.study)
        else:
            why = f"not clearly better than chance: {format_metrics(entry)}."
            unable.append(LeftOut(entry.label, entry.study.identity.run_id, why))
    return (compare_studies(able), unable) if able and unable else (comparison, [])


def _describe_choice(
    study: StudyRun, comparison: Comparison, left_out: Sequence[LeftOut]
) -> Iterator[str]:
    count = len(comparison.entries)
    among = f"{count} finished studies" if count > 1 else "one finished study"
    yield (
        f"best is {comparison.recommended.label}, run {study.run_id}, chosen among {among} of "
        f"{study.dataset} (digest {study.digest[:DIGEST_DIGITS]}, n = {comparison.images:,} test "
        "images): the cheapest shown to be within a point of the most accurate."
    )
    for entry in comparison.entries:
        cost = f"{entry.cost.value:,.0f} s for {comparison.effort}"
        run_id = entry.study.identity.run_id
        yield f"Among them {entry.label}: {format_metrics(entry)}, {cost} (run {run_id})."
    for other in left_out:
        run = f" (run {other.run_id})" if other.run_id else ""
        yield f"Left out {other.name}{run}: {other.reason}"


def _has_detector(study: StudyRun, progress: Progress) -> bool:
    try:
        detector_of(study)
    except UsageError as error:
        progress.warn(str(error))
        return False
    return True


#: Most that a reloaded model's score may differ from the logged one: features are rounded to
#: float16, and one at a tie falls to the other side in another batch.
TOLERANCE = 1e-4
FEWEST_IMAGES = 64
CHECKED_IMAGES = 128
#: Clearly better than chance is a model whose whole 95 % interval of ROC AUC lies above this. Not
#: above 0.5: next to nothing does as soon as the test images are many, and luck does now and then
#: where the best of several studies is taken.
CLEAR_ROC_AUC = 0.55
#: Cheaper is what saves at least this share: seconds vary from run to run.
SAVING = 0.1


def check_reload(address: str, study: ComparedStudy) -> Finding:
    """Check that the model, loaded in a new process, gives the scores that its study logged."""
    images = len(study.y_true)
    if images < FEWEST_IMAGES:
        return Finding(
            False, f"its study tested {images} images; its scores are checked on {FEWEST_IMAGES}"
        )
    # Images whose scores are spread over the whole range.
    order = np.argsort(study.kept.y_score, kind="stable")
    places = np.linspace(0, images - 1, min(CHECKED_IMAGES, images)).round().astype(int)
    chosen = [int(n) for n in order[places]]
    files = [Path(study.data_folders[study.sources[n]]) / study.paths[n] for n in chosen]
    missing = [file for file in files if not file.exists()]
    if missing:
        return Finding(False, f"its test images are not on this machine ({missing[0]})")
    try:
        scores = np.array(reloaded_scores(address, files))
    except DataError as error:
        return Finding(False, f"its test images cannot be read any more ({error})")
    except ModelError as error:
        return Finding(False, f"it does not load in a new process: {error}")
    furthest = float(np.max(np.abs(scores - study.kept.y_score[chosen])))
    shown = f"its scores on {len(files)} test images, loaded in a new process,"
    if not furthest <= TOLERANCE:
        return Finding(
            False,
            f"{shown} are up to {furthest:.2g} off the logged ones (unless the images have changed "
            "since)",
        )
    return Finding(True, f"{shown} equal the logged ones ({furthest:.0e} apart at most)")


def clearly_beats_chance(roc_auc: Estimate) -> bool:
    """Whether a 95 % interval of ROC AUC lies clearly above 0.5."""
    return roc_auc.low > CLEAR_ROC_AUC


def check_first_champion(study: ComparedStudy) -> Finding:
    """Check that a model is clearly better than chance, where no champion is there to compare."""
    roc_auc = roc_auc_estimate(study.y_true, study.kept.y_score)
    shown = f"95 % {roc_auc.low:.3f} to {roc_auc.high:.3f}, n = {len(study.y_true):,} test images"
    if clearly_beats_chance(roc_auc):
        return Finding(True, f"clearly better than chance, whose ROC AUC is 0.5: {shown}")
    return Finding(
        False,
        f"not shown to be clearly better than chance: of its ROC AUC all that interval ({shown}) "
        f"must lie above {CLEAR_ROC_AUC:g}",
    )


def level_of(tries: int) -> float:
    """Return the level of the last of so many tests on one test split.

    The levels of any number of tries add up to `SIGNIFICANT`, for the squares' reciprocals add up
    to π²/6: chance makes a champion of one or more equals in no more than that share of cases
    (Bonferroni's inequality).

    Args:
        tries: At least 1.
    """
    return SIGNIFICANT * 6 / (pi * tries) ** 2


def compare_with_champion(
    challenger: ComparedStudy, champion: ComparedStudy, tries: int = 1
) -> Finding:
    """Check that a study is more accurate than the champion's, or as accurate and cheaper.

    More accurate by McNemar's test of the kept models on the same test images; as accurate where
    the paired 95 % interval of the difference lies above -`MARGIN`: else a row of cheaper models,
    each a little worse, would lead down to chance. Both have the test split row by row.

    Args:
        tries: How many studies were held against a champion on this test split, this one counted.
    """
    test = mcnemar(champion.right, challenger.right)
    accuracy, before = float(np.mean(challenger.right)), float(np.mean(champion.right))
    new, old = resampled_metrics(challenger.y_true, [[challenger.kept], [champion.kept]])
    lead = percentile(accuracy - before, new["accuracy"] - old["accuracy"])
    points = f"{'ahead' if lead.value >= 0 else 'behind'} by {100 * abs(lead.value):.1f} points"
    description = (
        f"accuracy {accuracy:.1%} against {before:.1%} on the same n = "
        f"{len(challenger.y_true):,} test images; {points} (95 % {100 * lead.low:.1f} to "
        f"{100 * lead.high:.1f}; McNemar's test p = {test.p:.3g}, {_asked(tries)})"
    )
    if test.p < level_of(tries):
        better = lead.value > 0
        shown = f"{'better' if better else 'worse'} than the champion: {description}"
        return Finding(better, shown)
    if lead.low <= -MARGIN:
        short = f"not shown to be better than the champion, nor within {100 * MARGIN:g} point of it"
        return Finding(False, f"{short}: {description}")
    return _cheaper(challenger, champion, f"as accurate as the champion ({description})")


def _asked(tries: int) -> str:
    """Return what p must lie below, and why."""
    level = f"below {level_of(tries):.2g} asked"
    return level if tries == 1 else f"{level} of try {tries} on these images"


def _cheaper(challenger: ComparedStudy, champion: ComparedStudy, description: str) -> Finding:
    """Check that a study as accurate costs less, both as if of the smaller number of trials."""
    trials = min(challenger.trials, champion.trials)
    seconds, before = (s.ledger.seconds_of_trials(trials, s.trials) for s in (challenger, champion))
    costs = f"{seconds:,.0f} s against {before:,.0f} s for {effort_of(trials)}"
    if not challenger.machine or challenger.machine != champion.machine:
        return Finding(False, f"{description}, and costs of two machines do not compare ({costs})")
    if seconds <= (1 - SAVING) * before:
        return Finding(True, f"{description}, and cheaper: {costs}")
    return Finding(False, f"{description}, and not cheaper by {SAVING:.0%}: {costs}")


#: Metrics of the study that are also tags of a version, under the same names.
MAIN_METRICS = (
    "test/accuracy",
    "test/roc_auc",
    "test/f1_fake",
    "test/threshold",
    "cost/total_cold_seconds",
)


def run_registration(asked: RequestLike[RegisterConfig], progress: Progress) -> Registration:
    """Register the model of a study, recorded in an MLflow run of its own."""
    config = checked(asked).request
    open_store()
    check_registry()
    with tracked_run("registration", f"register {config.name}", config.as_params()) as run:
        choice: tuple[str, ...] = ()
        if config.run == BEST:
            how = "data_digest= chooses it"
            best = best_study(run.experiment_id, config.data_digest, progress, how)
            study, choice = best.study, best.description
        else:
            study = study_named(config.run)
        registration = register_study(study, config.name, config.force, progress)
        registration = replace(registration, choice=choice)
        run.tag(
            {
                names.REGISTERED: registration.address,
                names.MODEL: study.model,
                names.DATASET: study.dataset,
                names.DATASET_DIGEST: study.digest,
                names.NOTE: "\n\n".join((*choice, *registration.lines)),
            }
        )
    return registration


def register_study(study: StudyRun, name: str, force: bool, progress: Progress) -> Registration:
    """Register the model of a finished study; it becomes the champion if it passes the gate.

    With `force` it becomes the champion in any case, which is recorded as a tag.
    """
    # First: a study of an earlier version lacks what is read next, too.
    model_id = detector_of(study)
    (saved,) = read_studies([study], progress)
    card = with_elsewhere(model_card_of(study), found_elsewhere(study.run_id, study.experiment_id))
    version = register_version(study, model_id, name)
    former = champion_of(name)
    is_champion = former is not None and former.number == version.number
    if not is_champion:
        facts = _facts(study) | {names.GATE: "not passed yet"}
        describe_version(version, card[:MAX_DESCRIPTION], facts)
    progress.say(f"loading {version.address} in a new process")
    reload = check_reload(version.address, saved)
    # Read again: loading takes long enough for another registration to end.
    former = champion_of(name)
    findings = (reload, _compare_with_former(former, version, study, saved, progress))
    metrics = format_metrics(compare_studies([saved]).recommended)
    registration = Registration(
        study=study.name,
        run_id=study.run_id,
        name=name,
        number=version.number,
        findings=findings,
        former=former.number if former else "",
        forced=force and not all(finding.holds for finding in findings),
        tested=f"Tested on {study.dataset}, n = {len(saved.y_true):,} images: {metrics}.",
    )
    if not is_champion:
        if registration.is_champion:
            make_champion(version)
        refused = registration.refused
        gate = {
            names.GATE: f"refused: {refused}" if refused else "passed",
            names.FORCED: (refused or "the gate let it through anyway") if force else "",
        }
        describe_version(version, _description(card, registration), _facts(study) | gate)
    tag_run(study.run_id, {names.REGISTERED: version.address})
    return registration


def _compare_with_former(
    former: Version | None,
    version: Version,
    study: StudyRun,
    saved: ComparedStudy,
    progress: Progress,
) -> Finding:
    """Compare with the champion, if there is another one."""
    if former is None:
        first = check_first_champion(saved)
        return Finding(first.holds, f"{version.name} has no champion yet, and it is {first.reason}")
    if former.number == version.number:
        return Finding(True, "it is the champion already")
    try:
        champion = study_named(former.run_id)
        (theirs,) = read_studies([champion], progress)
    except FakefaceError as error:
        obstacle = str(error).rstrip(".")
        return Finding(
            False, f"the champion, version {former.number}, cannot be compared: {obstacle}"
        )
    if champion.test_digest != study.test_digest:
        return Finding(
            False,
            f"the champion, version {former.number}, was tested on other images "
            f"({champion.dataset}, test digest {champion.test_digest[:DIGEST_DIGITS]}, not "
            f"{study.test_digest[:DIGEST_DIGITS]}), so neither can be shown to be better",
        )
    tries = tries_on(version, study.test_digest)
    return compare_with_champion(saved, theirs, tries)


def _facts(study: StudyRun) -> dict[str, str]:
    """Return tags of a version: what it is found by, and its main metrics."""
    metrics = {key: study.metrics[key] for key in MAIN_METRICS if key in study.metrics}
    return {
        names.MODEL: study.model,
        names.FINE_TUNE: study.fine_tune,
        names.WEIGHTS: study.weights,
        names.DATASET: study.dataset,
        names.DATASET_DIGEST: study.digest,
        names.TEST_DIGEST: study.test_digest,
        **{key: f"{value:.4g}" for key, value in metrics.items()},
    }


def _description(card: str, registration: Registration) -> str:
    """Return a card with the gate's findings; of a card that is too long, the sections that fit."""
    findings = "\n".join(f"- {line}" for line in registration.lines[1:])
    gate = f"\n## Registration\n\n{findings}\n"
    rest = f"\nThe rest of this card: model_card.md of run `{registration.run_id}`.\n"
    if len(card) + len(gate) > MAX_DESCRIPTION:
        room = max(0, MAX_DESCRIPTION - len(gate) - len(rest))
        card = card[: card.rfind("\n## ", 0, room) + 1] + rest
    return (card + gate)[:MAX_DESCRIPTION]
