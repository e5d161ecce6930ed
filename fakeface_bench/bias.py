"""What a study's score owes to compression history: the same study on untouched pictures beside it.

Both have the same images, split and options, so their test scores are paired.
"""

from dataclasses import replace

from fakeface_bench.config import UNTOUCHED
from fakeface_bench.data.compression import more_compressed
from fakeface_bench.errors import StudyError
from fakeface_bench.evaluation.effect import paired_effect
from fakeface_bench.obtaining import obtain_study
from fakeface_bench.plan import Plan
from fakeface_bench.progress import Progress
from fakeface_bench.reading import read_studies
from fakeface_bench.records import Bias, LeftOut, SeedScores, StudyRecord
from fakeface_bench.subject import Subject
from fakeface_bench.tracking.runs import TrackedRun


def measure_bias(
    run: TrackedRun, plan: Plan, subject: Subject, record: StudyRecord, progress: Progress
) -> Bias:
    """Compare an equalised study with the untouched one, which is run now where it never was.

    Args:
        run: Of the equalised study.
        plan: Of it.
        subject: Of it.
        record: What it found.
        progress: Told which study stands beside it.

    Raises:
        StudyError: If the untouched study failed.
    """
    untouched = replace(plan.config, equalise=UNTOUCHED, study="", register="")
    progress.say("the same study on untouched pictures, to compare with")
    found = obtain_study(run, untouched, subject.index, progress, as_long=True)
    if isinstance(found, LeftOut):
        raise StudyError(
            f"the equalised study is finished and kept (run {run.run_id}), but not the one on "
            f"untouched pictures that bias/delta_auc compares it with: {found.reason}"
        )
    (other,) = read_studies([found], progress)
    test = record.test
    effect = paired_effect(
        test.y_true, other.kept, SeedScores(record.seed, test.y_score, test.threshold)
    )
    equalised_auc = test.metrics["roc_auc"]
    delta = effect["roc_auc"]
    return Bias(
        jpeg_quality=plan.jpeg_quality,
        images=len(test.y_true),
        untouched_auc=equalised_auc + delta.value,
        equalised_auc=equalised_auc,
        delta_auc=delta,
        untouched_run=found.run_id,
        outlasting=int(more_compressed(subject.dataset.audit.used, plan.jpeg_quality).sum()),
    )
