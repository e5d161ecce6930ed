"""What was found, as files: tables, pictures and a short text; without TensorFlow or MLflow."""

from fakeface_bench.report.audit import (
    audit_markdown,
    audit_metrics,
    audit_rows,
    write_audit_report,
)
from fakeface_bench.report.comparison import (
    Comparison,
    compare_studies,
    comparison_markdown,
    figures_told,
    leaderboard_rows,
    verdict_of,
    write_comparison_report,
)
from fakeface_bench.report.explanation import (
    JudgedImage,
    choose_examples,
    write_evidence_picture,
    write_explanation,
)
from fakeface_bench.report.model_card import CARD_FILE, with_elsewhere
from fakeface_bench.report.parts import PARTS_HEADER, part_rows
from fakeface_bench.report.results import (
    RESULTS_FILE,
    Results,
    few_images_told,
    read_results,
    results_header,
    threshold_told,
)
from fakeface_bench.report.saved_study import SAVED_FILES, identity_of, read_saved_study
from fakeface_bench.report.set_predictions import write_set_predictions
from fakeface_bench.report.study_report import write_costs, write_study_report
from fakeface_bench.report.summary import (
    main_rows,
    summary_headline,
    summary_markdown,
    summary_rows,
)
from fakeface_bench.report.transfer import (
    evaluation_markdown,
    evaluation_rows,
    evaluation_sentences,
    generalisation_markdown,
    generalisation_rows,
    generalisation_sentences,
    write_evaluation_report,
    write_generalisation_report,
)

__all__ = [
    "CARD_FILE",
    "PARTS_HEADER",
    "RESULTS_FILE",
    "SAVED_FILES",
    "Comparison",
    "JudgedImage",
    "Results",
    "audit_markdown",
    "audit_metrics",
    "audit_rows",
    "choose_examples",
    "compare_studies",
    "comparison_markdown",
    "evaluation_markdown",
    "evaluation_rows",
    "evaluation_sentences",
    "few_images_told",
    "figures_told",
    "generalisation_markdown",
    "generalisation_rows",
    "generalisation_sentences",
    "identity_of",
    "leaderboard_rows",
    "main_rows",
    "part_rows",
    "read_results",
    "read_saved_study",
    "results_header",
    "summary_headline",
    "summary_markdown",
    "summary_rows",
    "threshold_told",
    "verdict_of",
    "with_elsewhere",
    "write_audit_report",
    "write_comparison_report",
    "write_costs",
    "write_evaluation_report",
    "write_evidence_picture",
    "write_explanation",
    "write_generalisation_report",
    "write_set_predictions",
    "write_study_report",
]
