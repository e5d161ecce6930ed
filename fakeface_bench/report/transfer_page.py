"""The pages of models tested elsewhere: one model on several sets, and a whole matrix."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fakeface_bench.analysis.protocols import in_order_of_time, unseen_generators
from fakeface_bench.analysis.transfer import (
    elsewhere,
    home_of,
    is_above_chance,
    is_shown_lower_than_home,
    is_within_floor,
    ordered_cells,
    reversed_parts,
)
from fakeface_bench.data.selection import MAX_LOSS
from fakeface_bench.records.transfer import Generalisation, SetScores, TrainedModel
from fakeface_bench.report.format import (
    UNKNOWN,
    counted,
    escaped,
    format_images,
    generators_seen,
    listed,
    named,
)
from fakeface_bench.report.page import PagePicture, Verdict, page_environment, page_picture
from fakeface_bench.report.protocols import (
    FRONT_FILE,
    TIME_FILE,
    UNSEEN_FILE,
    draw_front,
    draw_in_time,
    draw_unseen,
    explained,
    networks_table,
    protocol_key_metrics,
    protocol_tables,
    protocol_verdict,
    time_lines,
    time_table,
    unseen_table,
)
from fakeface_bench.report.saved_study import few_images_warning
from fakeface_bench.report.table import Table, fitting, left_out_table, write_csv
from fakeface_bench.report.transfer_plots import (
    HEAT_MAPS,
    UNSEEN_MAP,
    draw_heat_map,
    draw_reliability,
    draw_sets,
)
from fakeface_bench.report.transfer_tables import (
    equalised_table,
    hold_outs,
    mixtures,
    part_name,
    parts,
    sets_table,
    table_of,
)
from fakeface_bench.support.text import visible

_TERMS = (
    ("95 % interval", "Of accuracy, recall and false alarms Wilson's; of ROC AUC the wider of "
     "DeLong's and Newcombe's; of the rest the middle 95 % of 1,000 stratified bootstrap resamples "
     "of the test images. It covers the draw of images alone: neither another training run nor "
     "another dataset."),
    ("ROC AUC", "How often a fake scores higher than a real image, whatever the threshold: 0.5 is "
     "chance, below it the classes are ranked the wrong way round."),
    ("At chance, not shown", "These images do not tell the two apart well enough. It is not "
     "proof that they are equal; the interval says how far apart they may be."),
    ("Own threshold", "The score from which the model predicts fake, chosen on images "
     "that its study held out of training. Nothing is chosen on a test set."),
    ("Threshold off", "The ranking is better than chance, yet the threshold does not suit the set: "
     "predictions are not shown to beat chance, or recall or false alarms are far (shown, and 0.1 "
     "or more) from those on the model's own test split, while another threshold would tell the "
     "classes apart better by 0.1 or more in recall less false alarms."),
    ("Below home, above home", "ROC AUC is shown to differ from that on the model's own test "
     "split, by the interval of the difference."),
    ("False alarms", "Share of the real images that are predicted fake."),
    ("Found at 1 % (5 %)", "Share of fakes found at the lowest threshold with at most 1 % (5 %) "
     "false alarms; also TPR at FPR, whatever a model's threshold. Not told below 200 (40) real "
     "images, which leave too much open."),
    ("Metadata alone", "The shortcut floor: cross-validated ROC AUC of a small classifier that "
     "sees file sizes, dimensions and formats of the test set and not one pixel. A model “within "
     "metadata”, not shown to be above it, may owe its score to such traces."),
    ("Never seen", "No fake of the generator was in training or validation; the test has its fakes "
     "of every split but those made from a picture that was trained on, and the held-out real "
     "images. Trained with it: the model that saw all generators, on those of its fakes in "
     "the test split. The difference is on the images that both were scored on, paired."),
    ("Mean over generators", "Each counts the same; its interval covers the draw of images (real "
     "ones are shared, which counts), not that of generators: the next one may be another case."),
    ("Improvability", "The share of a network's error (1 − ROC AUC) that the best network on the "
     "same generator does without, as the mean over generators: 0 where it is the best on each. It "
     "has no interval; where errors are tiny, so are the differences that make it large."),
    ("Average precision", "Chance is the share of fakes among the images, which differs from "
     "generator to generator: it compares networks on one, not generators."),
    ("Residual statistics alone", "Cross-validated ROC AUC of logistic regression on differences "
     "between neighbouring pixels and the spectrum, trained on this very generator. They read what "
     "a generator leaves and as well how files were scaled and saved: near 1 it says that such "
     "traces are there, not which of the two they are."),
    ("Unsure", "Share of images whose score lies in the band that the model brought along, chosen "
     "on its own held-out images."),
    ("Equalised", "Before a network sees it, in training and in testing, every picture of both "
     "classes is scaled to one size (canvas), encoded once as JPEG (equalise), or both. The "
     "difference is ROC AUC on pictures as they are less that on equalised ones, of the same study "
     "done twice, paired on the same images: what the network read from how files were scaled and "
     "saved, or from detail as fine. Scaling removes no trace where it leaves pictures larger "
     "than they once were."),
    ("Kind", "How fakes were made, as the catalogue of datasets states. Another kind is context: "
     "it does not prove why a metric is low, for a set's real images differ too."),
)  # fmt: skip


def transfer_verdict(cells: Sequence[SetScores], failed: int = 0) -> Verdict:
    """Say whether models carry over to sets they were not trained on.

    `failed` is the number of studies whose cells are blank.
    """
    away = [cell for cell in elsewhere(cells) if "roc_auc" in cell.estimates]
    homes = [cell for cell in cells if cell.is_own and "roc_auc" in cell.estimates]
    above = sum(map(is_above_chance, away))
    lower = sum(is_shown_lower_than_home(cell, home_of(cell, cells)) for cell in away)
    below = f", below home in {lower}" if homes else ""
    headline = f"Shown above chance in {above} of {len(away)} transfers to other datasets{below}"
    ranges = {"held-out images of its own dataset": homes, "other datasets": away}
    found = [f"{_range(of)} on {name}" for name, of in ranges.items() if of]
    paragraph = f"ROC AUC: {'; '.join(found)}." if found else "No test set holds both classes."
    if not away:
        headline = "No other dataset of both classes was tested"
        return Verdict(headline, paragraph, "care" if failed else "note")
    if not above:
        return Verdict(headline, paragraph, "bad")
    doubts = failed or lower or above < len(away) or any(map(is_within_floor, away))
    return Verdict(headline, paragraph, "care" if doubts else "good")


def _range(cells: Sequence[SetScores]) -> str:
    """Return the lowest and the highest ROC AUC, and which cells these are."""
    ranked = sorted(cells, key=lambda cell: cell.estimates["roc_auc"].value)
    ends = [ranked[0]] if len(ranked) == 1 else [ranked[0], ranked[-1]]
    return " to ".join(
        f"{cell.estimates['roc_auc'].value:.3f} ({named(cell.model.data)} → {named(cell.data)})"
        for cell in ends
    )


def transfer_warnings(cells: Sequence[SetScores]) -> list[str]:
    """Return what a reader must not miss, a line each."""
    seen = sum(cell.overlap.images for cell in cells)
    left_out = f"Left out, seen in training or copies of such: {counted(seen, 'test image')}."
    sizes = {cell.data: cell.images for cell in cells}
    few = {name: few_images_warning(images) for name, images in sizes.items()}
    lines = [f"{named(name)}: {warning}" for name, warning in few.items() if warning]
    uneven = [
        f"{named(cell.data)}: {share:.1%} of its {name} images look like one that the model saw. "
        "They are left out as copies; a generator that drew faces again would leave as many."
        for cell in cells
        for name, share in cell.overlap.similar_shares.items()
        if share > MAX_LOSS
    ]
    unknown = [
        f"What images {named(cell.model.label)} was trained on is not known: these may be among "
        "them, and then the metrics are too good."
        for cell in cells
        if cell.model.images_seen is None
    ]
    left_outs = [left_out] if seen else []
    turned = [
        f"{named(cell.model.label)} ranks the wrong way round, in {named(cell.data)}: "
        f"{listed([part_name(part) for part in parts])}. Real images score higher than its fakes."
        for cell in cells
        if (parts := reversed_parts(cell))
    ]
    return [*dict.fromkeys(unknown), *turned, *left_outs, *dict.fromkeys(uneven), *lines]


#: How many rows each table may have, tried in turn until the text is short enough.
_CUTS = (64, 40, 25, 16, 10, 7, 5, 3, 2, 1)


def _description(
    verdict: Verdict, warnings: Sequence[str], tables: Mapping[str, Table], file: str
) -> str:
    """Return verdict, warnings and tables under 5,000 characters; `file` holds every row."""

    def cut(most: int) -> str:
        parts = [f"**{escaped(verdict.headline)}.**", escaped(verdict.paragraph)]
        parts += [f"**Warning:** {escaped(line)}" for line in warnings[:most]]
        for title, table in tables.items():
            if table.records:
                parts += [f"### {title}", *table.cut(most, file)]
        return "\n\n".join(parts) + "\n"

    return fitting(cut, _CUTS, verdict.paragraph)


def _render(template: str, **content: Any) -> str:
    return page_environment().get_template(template).render(terms=_TERMS, **content)


def _images_metric(cells: Sequence[SetScores]) -> tuple[str, str, str]:
    """Return the number of images scored, and of those left out."""
    seen = sum(cell.overlap.images for cell in cells)
    scored = sum(cell.images for cell in cells)
    return f"{scored:,}", "images scored, over all sets", f"{counted(seen, 'image')} left out"


#: What each picture of an evaluation shows, for those who cannot see it.
_PICTURES = {
    "roc_auc_by_set.png": "ROC AUC of each set with its interval, and what metadata alone score",
    "reliability.png": "Share of fakes at each score, for each set, against perfect calibration",
}


#: Where a threshold is from, by whether the model is a detector of others.
_THRESHOLD_WORDS = {
    False: "It was chosen on images held out of the training set.",
    True: "It is the one that its description states.",
}


def write_evaluation_report(scores: Sequence[SetScores], folder: Path) -> None:
    """Write `report.html`, `evaluation.md`, `evaluation.csv` and the pictures.

    Files of an earlier report in the same folder are replaced. The scores are of one model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(sets_table(scores), folder / "evaluation.csv")
    (folder / "evaluation.md").write_text(evaluation_markdown(scores), encoding="utf-8")
    draw_sets(scores, folder / "roc_auc_by_set.png")
    draw_reliability(scores, folder / "reliability.png")
    pictures = [page_picture(folder / name, alt) for name, alt in _PICTURES.items()]
    page = _render(
        "evaluation.html",
        title=named(scores[0].model.label),
        verdict=transfer_verdict(scores),
        warnings=transfer_warnings(scores),
        key_metrics=_evaluation_key_metrics(scores),
        about=_about(scores),
        threshold_words=_THRESHOLD_WORDS[scores[0].model.external],
        sets_picture=pictures[0],
        reliability_picture=pictures[1],
        ranking=table_of("ranking", scores),
        at_threshold=table_of("at threshold", scores),
        calibration=table_of("calibration", scores),
        parts=parts(scores),
        images=table_of("images", scores),
        files=sorted([*_PICTURES, "evaluation.csv", "evaluation.md"]),
    )
    (folder / "report.html").write_text(page, encoding="utf-8")


def evaluation_markdown(scores: Sequence[SetScores]) -> str:
    """Return the verdict and the metrics of each set, under 5,000 characters."""
    tables = {
        "Whatever the threshold": table_of("ranking", scores),
        "At the model's own threshold": table_of("at threshold", scores),
        "Images": table_of("images", scores),
    }
    return _description(
        transfer_verdict(scores), transfer_warnings(scores), tables, "evaluation.csv"
    )


def elsewhere_lines(scores: Sequence[SetScores]) -> list[str]:
    """Return a line for each set that the model was not trained on: its row of the table."""
    table = table_of("evaluation, short", scores)
    lines = []
    for cell, (_, *values, remark) in zip(scores, table.rows, strict=True):
        if cell.is_own or cell.is_part:
            continue
        named_values = zip(table.header[1:], values, strict=False)
        metrics = [f"{name} {value}" for name, value in named_values if value != UNKNOWN]
        images = f"{named(cell.chosen)}, {format_images(cell)}"
        start = f"Trained on {named(cell.model.data)}, tested on {named(cell.data)} ({images})"
        lines.append(f"{start}: {'; '.join([*metrics, *([remark] if remark else [])])}.")
    return lines


def _evaluation_key_metrics(scores: Sequence[SetScores]) -> list[tuple[str, str, str]]:
    """Return (metric, what it is, what to add) of the metrics to look at first."""
    ranked = sorted(
        (cell for cell in scores if "roc_auc" in cell.estimates),
        key=lambda cell: cell.estimates["roc_auc"].value,
    )
    above = sum(map(is_above_chance, ranked))
    ends = [("lowest ROC AUC", ranked[:1]), ("highest ROC AUC", ranked[1:][-1:])]
    shown = [(cell, which) for which, cells in ends for cell in cells]
    return [
        *((f"{c.estimates['roc_auc'].value:.3f}", which, named(c.data)) for c, which in shown),
        (f"{above} of {len(ranked)}", "sets with a ROC AUC above chance", "shown at 95 %"),
        _images_metric(scores),
    ]


def _about(scores: Sequence[SetScores]) -> list[tuple[str, str]]:
    model = scores[0].model
    kinds = [f"{named(name)}: {named(kind) or 'not known'}" for name, kind in model.kinds.items()]
    return [
        ("Model", visible(model.address) or UNKNOWN),
        ("Trained on", named(model.data) or UNKNOWN),
        ("Its fakes", listed(kinds) if kinds else UNKNOWN),
        ("Has seen", generators_seen(model.generators) or UNKNOWN),
        ("Threshold", f"{model.threshold:.4f}, {_threshold_from(model)}"),
        ("Images seen", _images_seen(model)),
        ("Training cost", _training_cost(scores)),
        ("MLflow run", visible(model.run_id) or UNKNOWN),
    ]


def _threshold_from(model: TrainedModel) -> str:
    return "as stated" if model.external else "chosen on images held out in its study"


def _images_seen(model: TrainedModel) -> str:
    if model.images_seen is None:
        return "not known"
    return f"{model.images_seen:,} in training and validation"


def _training_cost(scores: Sequence[SetScores]) -> str:
    if not scores[0].model.external:
        return "in its study"
    spans = [cell.seconds_per_1000 for cell in scores if cell.seconds_per_1000 is not None]
    shown = sorted({f"{seconds:.3g}" for seconds in (min(spans), max(spans))}, key=float)
    return f"not known; 1,000 predictions from their files: {' to '.join(shown)} s here"


def write_generalisation_report(record: Generalisation, folder: Path) -> None:
    """Write `report.html`, `generalisation.md`, the heat maps and the CSV tables.

    `mixtures.csv`, `hold_outs.csv` and `equalised.csv` are written where there are any. Files of an
    earlier report in the same folder are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"matrix.csv": sets_table(ordered_cells(record))}
    if record.mixtures:
        tables["mixtures.csv"] = mixtures(record.mixtures)
    if record.hold_outs:
        tables["hold_outs.csv"] = hold_outs(record.hold_outs)
    if record.equalised:
        tables["equalised.csv"] = equalised_table(record.equalised)
    if unseen_generators(record):
        tables[f"{UNSEEN_FILE}.csv"] = unseen_table(record)
    if networks_table(record).records:
        tables[f"{FRONT_FILE}.csv"] = networks_table(record)
    if in_order_of_time(record):
        tables[f"{TIME_FILE}.csv"] = time_table(record)
    for name, table in tables.items():
        write_csv(table, folder / name)
    pictures = _draw_matrix(record, folder)
    text = generalisation_markdown(record)
    (folder / "generalisation.md").write_text(text, encoding="utf-8")
    files = sorted([*tables, *pictures, "generalisation.md"])
    page = _generalisation_page(record, folder, files)
    (folder / "report.html").write_text(page, encoding="utf-8")


def _draw_matrix(record: Generalisation, folder: Path) -> list[str]:
    """Draw all pictures of a matrix; return their names."""
    maps = [*HEAT_MAPS, *([UNSEEN_MAP] if unseen_generators(record) else [])]
    for heat_map in maps:
        draw_heat_map(heat_map, record, folder / heat_map.file)
    drawn = [heat_map.file for heat_map in maps]
    if unseen_generators(record):
        drawn.append(f"{UNSEEN_FILE}.png")
        draw_unseen(record, folder / drawn[-1])
    if networks_table(record).records:
        drawn.append(f"{FRONT_FILE}.png")
        draw_front(record, folder / drawn[-1])
    if in_order_of_time(record):
        drawn.append(f"{TIME_FILE}.png")
        draw_in_time(record, folder / drawn[-1])
    return drawn


def matrix_verdict(record: Generalisation) -> Verdict:
    """Say whether models carry over to generators, else to sets, they were not trained on."""
    if found := protocol_verdict(record):
        return found
    return transfer_verdict(ordered_cells(record), len(record.left_out))


def matrix_warnings(record: Generalisation) -> list[str]:
    """Return what a reader of a matrix must not miss, a line each."""
    warnings = transfer_warnings(ordered_cells(record))
    if low := explained(record):
        warnings.append(
            f"Not shown above what metadata alone score: {listed([named(name) for name in low])}."
        )
    blank = [named(out.name) for out in (*record.left_out, *record.unscored)]
    return [*warnings, f"Failed or not scored: {listed(blank)}."] if blank else warnings


def tables_beside_matrix(record: Generalisation) -> dict[str, Table]:
    """Return effects, hold-outs and what is missing, by their titles; some may be empty."""
    blank, title = [*record.left_out, *record.unscored], "Failed or not scored"
    others = [out for out in record.hold_outs if out.column != "generator"]
    return {
        "What was processing history": equalised_table(record.equalised, "short"),
        "What joined training sets change": mixtures(record.mixtures),
        "Left out of training in turn": hold_outs(others),
        title: left_out_table(blank, title, written=named),
    }


def generalisation_markdown(record: Generalisation) -> str:
    """Return the verdict, the matrix and its effects, under 5,000 characters, names escaped."""
    tables = {
        **protocol_tables(record),
        "Matrix": table_of("matrix", ordered_cells(record)),
        **tables_beside_matrix(record),
    }
    return _description(matrix_verdict(record), matrix_warnings(record), tables, "matrix.csv")


def _protocols(record: Generalisation, folder: Path, files: Sequence[str]) -> dict[str, Any]:
    """Return what the page shows of generators left out, and of the order of time."""

    def picture(name: str, alt: str) -> PagePicture | None:
        file = f"{name}.png"
        return page_picture(folder / file, alt) if file in files else None

    return {
        "unseen": unseen_table(record, "ranking"),
        "unseen_at_threshold": unseen_table(record, "at threshold"),
        "networks": networks_table(record),
        "front_picture": picture(FRONT_FILE, "ROC AUC of the worst generator against cost"),
        "unseen_map": UNSEEN_MAP,
        "unseen_panels": UNSEEN_MAP.panels(record),
        "unseen_picture": picture(UNSEEN_FILE, "ROC AUC of each generator with its interval"),
        "in_time": time_table(record, "page"),
        "time_lines": time_lines(in_order_of_time(record)),
        "time_picture": picture(TIME_FILE, "ROC AUC on what was released next, by date"),
    }


def _generalisation_page(record: Generalisation, folder: Path, files: list[str]) -> str:
    cells = ordered_cells(record)
    _, effects, held_out, not_scored = tables_beside_matrix(record).values()
    return _render(
        "generalisation.html",
        title=listed([named(name) for name in record.models]),
        verdict=matrix_verdict(record),
        warnings=matrix_warnings(record),
        key_metrics=protocol_key_metrics(record) or _generalisation_key_metrics(record, cells),
        maps=[(heat_map, heat_map.panels(record)) for heat_map in HEAT_MAPS],
        **_protocols(record, folder, files),
        matrix=table_of("matrix", cells),
        equalised=equalised_table(record.equalised, "page"),
        mixtures=effects,
        hold_outs=held_out,
        parts=parts(cells),
        images=table_of("images", cells),
        not_scored=not_scored,
        files=files,
    )


def _generalisation_key_metrics(
    record: Generalisation, cells: list[SetScores]
) -> list[tuple[str, str, str]]:
    """Return (metric, what it is, what to add) of the four metrics to look at first."""
    away = [cell for cell in elsewhere(cells) if "roc_auc" in cell.estimates]
    above = sum(map(is_above_chance, away))
    asked = len(record.models) * len(record.trained) * len(record.tested)
    sizes = counted(len(record.models), "architecture")
    failed = f"studies failed: {len(record.left_out)}"
    return [
        (f"{above} of {len(away)}", "transfers shown to be better than chance", "other datasets"),
        (f"{len(cells)} of {asked}", "cells scored", failed),
        (f"{len(record.trained)} × {len(record.tested)}", "trained on × tested on", sizes),
        _images_metric(cells),
    ]
