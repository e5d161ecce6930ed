"""Registers the model of a study, and makes it the champion where it passes the gate."""

from dataclasses import replace

from fakeface_bench.best import best_study
from fakeface_bench.config import BEST, DIGEST_DIGITS, RegisterConfig
from fakeface_bench.errors import FakefaceError
from fakeface_bench.gate import can_lead, comes_back, deserves
from fakeface_bench.progress import Progress
from fakeface_bench.reading import model_card_of, read_studies
from fakeface_bench.records import ComparedStudy, Finding, Registration
from fakeface_bench.report import compare_studies, figures_told, with_elsewhere
from fakeface_bench.request import check_register
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
)
from fakeface_bench.tracking.runs import tag_run
from fakeface_bench.tracking.store import open_store
from fakeface_bench.tracking.studies import StudyRun, found_elsewhere, study_named

#: Told as tags of a version, under the names that they have as metrics of the study.
MAIN_FIGURES = (
    "test/accuracy",
    "test/roc_auc",
    "test/f1_fake",
    "test/threshold",
    "cost/total_cold_seconds",
)


def run_registration(config: RegisterConfig, progress: Progress) -> Registration:
    """Register the model of a study, recorded in an MLflow run of its own.

    Raises:
        UsageError: If there is no such study, or its model or files are gone.
        ModelError: If the registry does not answer.
    """
    check_register(config)
    open_store()
    check_registry()
    with tracked_run("registration", f"register {config.name}", config.as_params()) as run:
        choice: tuple[str, ...] = ()
        if config.run == BEST:
            how = "data_digest= chooses it"
            best = best_study(run.experiment_id, config.data_digest, progress, how)
            study, choice = best.study, best.told
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
    """Register the model of a finished study; it becomes the champion where the gate lets it.

    Args:
        study: Whose model it is.
        name: Of the registered model.
        force: Whether it becomes the champion whatever the gate says; recorded as a tag.
        progress: Told how far it is.
    """
    # First: a study of an earlier version lacks what is read next, too.
    model_id = detector_of(study)
    (saved,) = read_studies([study], progress)
    card = with_elsewhere(model_card_of(study), found_elsewhere(study.run_id, study.experiment_id))
    version = register_version(study, model_id, name)
    former = champion_of(name)
    stays = former is not None and former.number == version.number
    if not stays:
        facts = _facts(study) | {names.GATE: "not passed yet"}
        describe_version(version, card[:MAX_DESCRIPTION], facts)
    progress.say(f"loading {version.address} in a new process")
    back = comes_back(version.address, saved)
    # Asked again: loading takes long enough for another registration to end.
    former = champion_of(name)
    findings = (back, _against(former, version, study, saved, progress))
    registration = Registration(
        study=study.name,
        run_id=study.run_id,
        name=name,
        number=version.number,
        findings=findings,
        former=former.number if former else "",
        forced=force and not all(finding.holds for finding in findings),
        tested=_tested(study, saved),
    )
    if not stays:
        if registration.is_champion:
            make_champion(version)
        described = _described(card, registration)
        describe_version(version, described, _facts(study) | _gate_tags(registration, force))
    tag_run(study.run_id, {names.REGISTERED: version.address})
    return registration


def _against(
    former: Version | None,
    version: Version,
    study: StudyRun,
    saved: ComparedStudy,
    progress: Progress,
) -> Finding:
    """Compare with the champion, where there is another one."""
    if former is None:
        able = can_lead(saved)
        return Finding(able.holds, f"{version.name} has no champion yet, and it is {able.reason}")
    if former.number == version.number:
        return Finding(True, "it is the champion already")
    try:
        champion = study_named(former.run_id)
        (theirs,) = read_studies([champion], progress)
    except FakefaceError as error:
        told = str(error).rstrip(".")
        return Finding(False, f"the champion, version {former.number}, cannot be compared: {told}")
    if champion.test_digest != study.test_digest:
        return Finding(
            False,
            f"the champion, version {former.number}, was tested on other images "
            f"({champion.dataset}, test digest {champion.test_digest[:DIGEST_DIGITS]}, not "
            f"{study.test_digest[:DIGEST_DIGITS]}), so neither can be shown to be better",
        )
    return deserves(saved, theirs)


def _tested(study: StudyRun, saved: ComparedStudy) -> str:
    figures = figures_told(compare_studies([saved]).recommended)
    return f"Tested on {study.dataset}, n = {len(saved.y_true):,} images: {figures}."


def _facts(study: StudyRun) -> dict[str, str]:
    """Return what a version is to be found by, and its main figures, as tags."""
    figures = {key: study.figures[key] for key in MAIN_FIGURES if key in study.figures}
    return {
        names.MODEL: study.model,
        names.FINE_TUNE: study.fine_tune,
        names.WEIGHTS: study.weights,
        names.DATASET: study.dataset,
        names.DATASET_DIGEST: study.digest,
        names.TEST_DIGEST: study.test_digest,
        **{key: f"{value:.4g}" for key, value in figures.items()},
    }


def _gate_tags(registration: Registration, force: bool) -> dict[str, str]:
    refused = registration.refused
    return {
        names.GATE: f"refused: {refused}" if refused else "passed",
        names.FORCED: (refused or "the gate let it through anyway") if force else "",
    }


def _described(card: str, registration: Registration) -> str:
    """Return a card with what the gate found; of a card too long for it, the sections that fit."""
    told = "\n".join(f"- {line}" for line in registration.lines[1:])
    gate = f"\n## Registration\n\n{told}\n"
    rest = f"\nThe rest of this card: model_card.md of run `{registration.run_id}`.\n"
    if len(card) + len(gate) > MAX_DESCRIPTION:
        room = max(0, MAX_DESCRIPTION - len(gate) - len(rest))
        card = card[: card.rfind("\n## ", 0, room) + 1] + rest
    return (card + gate)[:MAX_DESCRIPTION]
