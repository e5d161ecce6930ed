"""The report of an audit: every sentence by its rule, every file, and names that bite."""

import csv
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import label

from fakeface_bench.analysis.audit import count, fact_named, facts_of
from fakeface_bench.data.audit import Audit
from fakeface_bench.data.duplicates import MOST_PAIRS
from fakeface_bench.data.selection import HELD_OUT_COPY as COPY
from fakeface_bench.records.study import ShortcutFloor
from fakeface_bench.report.audit_findings import half_width_95
from fakeface_bench.report.audit_page import write_audit_report
from fakeface_bench.report.audit_plots import GROUND, pair_groups
from fakeface_bench.report.audit_text import audit_markdown, audit_metrics, audit_rows, find
from fakeface_bench.support.text import elided, visible
from tests.report.audits import (
    Pair,
    a_floor,
    a_full_audit,
    a_mix,
    an_audit,
    changed,
    image_files,
    two_sources,
)

TABLES = (
    *("balance.csv", "duplicates.csv", "file_sizes.csv", "formats.csv"),
    *("left_out.csv", "problems.csv", "quantisation.csv", "shortcut.csv"),
)
HOSTILE = (
    "<script>alert(1)</script>.jpg",
    "a|b|c.jpg",
    "two\nlines\r\n.jpg",
    "quo\"te's, and a comma.jpg",
    "x" * 4000 + ".jpg",
    "$\\frac{1}{2}$.jpg",
    "顔\u202egpj.exe",
    "\x00\x1b[31m\t.jpg",
    "`code` **bold** [x](javascript:alert(1)).jpg",
    "</style></title><img src=x onerror=alert(1)>.png",
    "{{ 7*7 }}{% raw %}.jpg",
)


def said(audit: Audit, topic: str) -> list[str]:
    return [finding.text for finding in find(audit).topics[topic]]


class Page(HTMLParser):
    """What a browser makes of a page: its tags with their attributes, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str, of_class: str = "") -> int:
        return sum(
            name == tag and of_class in (attributes.get("class") or "").split(" ")
            if of_class
            else name == tag
            for name, attributes in self.tags
        )


# The verdict


def test_nothing_found_is_fit() -> None:
    findings = find(an_audit())
    assert (findings.verdict, findings.weight) == ("Fit for a study", "good")


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([0], "Fit, after 1 image was left out"),
        ([0, 3], "Fit, after 2 images were left out"),
    ],
)
def test_images_left_out_are_in_the_verdict(rows: list[int], verdict: str) -> None:
    assert find(an_audit(files=changed(left_out=dict.fromkeys(rows, COPY)))).verdict == verdict


def test_an_unmeasured_shortcut_is_in_the_verdict() -> None:
    findings = find(an_audit(floor=None))
    assert findings.verdict == "Fit for a study; shortcuts were not measured"
    assert said(an_audit(floor=None), "Shortcut") == [
        "There are too few images to measure what file metadata gives away."
    ]


def test_a_missing_class_is_graver_than_a_shortcut() -> None:
    files = changed(left_out={row: COPY for row in range(32) if 20 <= row < 24})
    findings = find(an_audit(files=files, floor=a_floor(0.95, 0.9, 0.99)))
    assert findings.verdict == "Not fit for a study: valid holds no fake image"
    assert findings.weight == "bad"


def test_an_empty_split_lacks_both_classes() -> None:
    verdict = find(an_audit(files=image_files({"train": 4, "test": 4}))).verdict
    assert verdict == "Not fit for a study: valid holds no real or fake image"


@pytest.mark.parametrize(
    ("files", "verdict"),
    [
        (image_files({}), "Not fit for a study: there are no images"),
        (
            image_files().assign(left_out="both labels"),
            "Not fit for a study: there is no image to use",
        ),
    ],
)
def test_no_images_at_all(files: pd.DataFrame, verdict: str) -> None:
    assert find(an_audit(files=files)).verdict == verdict


# The shortcut


@pytest.mark.parametrize(
    ("floor", "verdict", "sentence"),
    [
        (
            a_floor(),
            "Fit for a study",
            "A classifier that sees only file metadata tells the classes apart with ROC AUC 0.55 "
            "(95 % over cross-validation folds 0.48 to 0.62; 250 pictures): not better than "
            "chance.",
        ),
        (a_floor(0.55, 0.5, 0.6), "Fit for a study", "not better than chance."),
        (
            a_floor(0.42, 0.38, 0.47),
            "Fit for a study; the shortcut measured is below chance",
            "0.38 to 0.47; 250 pictures): below chance: not interpretable.",
        ),
        (
            a_floor(0.55, 0.5001, 0.6),
            "A slight shortcut: file metadata alone reaches ROC AUC 0.55",
            "(95 % over cross-validation folds 0.500 to 0.60; 250 pictures): better than chance, "
            "so a test ROC AUC must be read against it; strongest alone: JPEG quantisation, 0.60.",
        ),
        (a_floor(0.52, 0.5001, 0.54), "Fit for a study", "JPEG quantisation, 0.60."),
        (a_floor(0.7, 0.6, 0.8), "A shortcut: file metadata alone reaches ROC AUC 0.70", "0.60."),
        (
            a_floor(0.9, 0.8, 0.95),
            "A strong shortcut: file metadata alone reaches ROC AUC 0.90",
            "before a study.",
        ),
    ],
)
def test_shortcut(floor: ShortcutFloor, verdict: str, sentence: str) -> None:
    audit = an_audit(floor=floor)
    assert find(audit).verdict == verdict
    assert said(audit, "Shortcut")[0].endswith(sentence)


def test_a_wide_interval_leaves_room_for_a_shortcut() -> None:
    assert said(an_audit(), "Shortcut")[1:] == [
        "So wide an interval leaves room for a shortcut of up to ROC AUC 0.62."
    ]
    assert len(said(an_audit(floor=a_floor(0.5, 0.48, 0.53)), "Shortcut")) == 1


def test_a_shortcut_without_groups_names_none() -> None:
    floor = replace(a_floor(0.6, 0.55, 0.65), alone={})
    assert said(an_audit(floor=floor), "Shortcut")[0].endswith("must be read against it.")


def test_source_floors_are_told_apart() -> None:
    floors = {"own": a_floor(0.58, 0.5, 0.66), "official": a_floor(0.42, 0.38, 0.47)}
    audit = a_mix(source_floors=floors)
    assert said(audit, "Shortcut")[2:] == [
        "own alone: 0.58 (0.50 to 0.66), not better than chance.",
        "official alone: 0.42 (0.38 to 0.47), below chance: not interpretable.",
    ]
    assert find(audit).verdict == "Fit for a study"
    assert said(replace(audit, source_floors={"own": a_floor()}), "Shortcut")[-1] == (
        "Too few images to measure alone: official."
    )


def test_a_shortcut_in_one_source_is_in_the_verdict() -> None:
    audit = a_mix(source_floors={"own": a_floor(0.95, 0.9, 0.99), "official": a_floor()})
    assert find(audit).verdict == (
        "A strong shortcut in own: file metadata alone reaches ROC AUC 0.95"
    )
    assert "own alone: 0.95 (0.90 to 0.99), better than chance." in said(audit, "Shortcut")


def test_source_floors_are_in_metrics_tables_rows_and_picture(tmp_path: Path) -> None:
    audit = a_mix(source_floors={"own": a_floor(0.58, 0.5, 0.66)})
    assert audit_metrics(audit).items() >= {
        ("data/shortcut_auc", 0.55),
        ("data/own/shortcut_auc", 0.58),
        ("data/own/shortcut_auc_low_95", 0.5),
        ("data/own/shortcut_auc_high_95", 0.66),
    }
    assert ("shortcut ROC AUC, own", "0.580 (95 % 0.500 to 0.660)") in audit_rows(audit)
    heights = []
    for of in (replace(audit, source_floors={}), audit):
        write_audit_report(of, tmp_path)
        with Image.open(tmp_path / "pictures/shortcut.png") as picture:
            heights.append(picture.height)
    assert heights[1] > heights[0]
    table = pd.read_csv(tmp_path / "shortcut.csv", keep_default_na=False)
    assert table["source"].tolist() == [""] * 4 + ["own"] * 4
    assert table["facts"].tolist()[::4] == ["all together"] * 2
    assert table["roc_auc"].tolist()[::4] == [0.55, 0.58]


# Whose split it is


@pytest.mark.parametrize(
    ("own_split", "unsplit", "sentence", "short"),
    [
        ((), (), "the split is each dataset's own.", "each dataset's own"),
        (
            ("own", "official"),
            (),
            "the split was made by the project.",
            "made by the project",
        ),
        (
            ("own",),
            (),
            "the split was made by the project for own and is official for official.",
            "made by the project for own, official for official",
        ),
        (
            ("own",),
            ("own",),
            "the split could not be made for own and is official for official.",
            "could not be made for own, official for official",
        ),
    ],
)
def test_whose_split_it_is(
    own_split: tuple[str, ...], unsplit: tuple[str, ...], sentence: str, short: str, tmp_path: Path
) -> None:
    files = two_sources()
    files.loc[files["source"].isin(unsplit), "split"] = ""
    audit = a_mix(files=files, own_split=own_split)
    assert audit_markdown(audit).splitlines()[2].endswith(f"; {sentence}")
    write_audit_report(audit, tmp_path)
    assert f"<dd>{short.replace(chr(39), '&#39;')}</dd>" in (tmp_path / "audit.html").read_text()


def test_the_split_of_one_dataset_is_its_own() -> None:
    assert "; the split is the dataset's own." in audit_markdown(an_audit())
    assert "; the split was made by the project." in audit_markdown(an_audit(own_split=("faces",)))


def test_a_source_too_small_to_be_split_is_not_fit(tmp_path: Path) -> None:
    files = two_sources()
    own = files["source"] == "own"
    files.loc[own, "split"] = ""
    files.loc[own & (files["label"] == 1), "group"] = "one face"
    audit = a_mix(files=files)
    findings = find(audit)
    assert findings.verdict == "Not fit for a study: own could not be split"
    assert said(audit, "Images")[0] == (
        "own could not be split into train, valid and test: of 8 real and 8 fake images it shows "
        "1 different fake picture (in 8 files); 3 of each class are needed, and copies of one "
        "picture count once."
    )
    assert ("no split for own, real / fake", "8 / 8") in audit_rows(audit)
    assert ("images not left out", "32") in audit_rows(audit)
    assert audit_metrics(audit)["data/train_real_images"] == 4
    write_audit_report(audit, tmp_path)
    assert "no split" in Page(tmp_path / "audit.html").text


def test_one_source_that_could_not_be_split_says_only_that() -> None:
    audit = an_audit(files=image_files().assign(split="", place="faces"), own_split=("faces",))
    assert find(audit).verdict == "Not fit for a study: faces could not be split"
    assert said(audit, "Images")[1:] == ["Every image can be read."]
    assert "; the split could not be made." in audit_markdown(audit)


# Duplicates


def test_no_duplicates() -> None:
    assert said(an_audit(), "Duplicates") == [
        "No duplicates found: no two images are identical, similar or mirrored."
    ]


def test_pairs_across_splits_say_which_images_leave() -> None:
    near: tuple[Pair, ...] = (
        (0, 24, "similar", 24),
        (1, 25, "mirrored", 9),
        (17, 26, "similar", 3),
    )
    audit = an_audit(pairs=near, files=changed(left_out={0: COPY, 1: COPY, 17: COPY}))
    assert said(audit, "Duplicates") == [
        "3 pairs of near-duplicates stand in different splits; the 2 train and 1 valid images "
        "among them leave before a study."
    ]
    assert find(audit).verdict == "Fit, after 3 images were left out"


def test_one_pair_is_singular() -> None:
    audit = an_audit(pairs=((0, 24, "identical", 0),), files=changed(left_out={0: COPY}))
    assert said(audit, "Duplicates") == [
        "1 pair of identical images stands in different splits; the 1 train image among them "
        "leaves before a study."
    ]


def test_pairs_that_would_be_used_whole_are_not_fit() -> None:
    near: tuple[Pair, ...] = ((0, 24, "similar", 24), (1, 25, "similar", 9))
    audit = an_audit(pairs=near, files=changed(left_out={0: COPY}))
    assert find(audit).verdict == "Not fit for a study: 1 pair of near-duplicates would leak"
    assert "; 1 pair would be used whole, and" in said(audit, "Duplicates")[0]


def test_pairs_within_a_split_do_not_leak() -> None:
    audit = an_audit(pairs=((0, 1, "similar", 4), (2, 3, "identical", 0)), own_split=("faces",))
    assert said(audit, "Duplicates") == [
        "No duplicates stand in different splits: the split made here keeps them together.",
        "1 pair of identical images stands within one split: no leak, but fewer different pictures "
        "than images.",
        "1 pair of near-duplicates stands within one split: no leak, but fewer different pictures "
        "than images.",
    ]
    assert find(audit).weight == "good"


def test_opposite_labels_are_told_apart_by_kind() -> None:
    files = changed(left_out={0: "both labels", 8: "both labels"})
    audit = an_audit(pairs=((0, 8, "identical", 0), (1, 9, "similar", 20)), files=files)
    assert said(audit, "Duplicates")[1:3] == [
        "1 pair of identical images carries both labels, so nobody knows which is right. 2 images "
        "are left out for it.",
        "1 pair looks alike but carries opposite labels: taken for a manipulation and its "
        "original, not for an error. Both are used, in one split. A look at them tells.",
    ]
    assert find(audit).verdict == "Fit, after 2 images were left out"


def test_manipulations_that_leave_are_not_said_to_be_used() -> None:
    pairs: tuple[Pair, ...] = ((0, 8, "similar", 9), (1, 9, "mirrored", 9), (2, 28, "similar", 9))
    audit = an_audit(pairs=pairs, files=changed(left_out={2: COPY}))
    (description,) = [line for line in said(audit, "Duplicates") if "opposite labels" in line]
    assert description.startswith("3 pairs look alike but carry opposite labels: taken for a manip")
    assert "Both are used of 2 such pairs, in one split." in description
    assert audit_metrics(audit)["data/manipulated_pairs"] == 3
    assert audit_metrics(audit)["data/conflicting_images"] == 0


@pytest.mark.parametrize(
    ("donors", "description"),
    [
        (
            {"valid": "train"},
            ["faces has no labelled valid split: it is drawn from train, copies kept together."],
        ),
        (
            {"test": "valid"},
            [
                "faces has no labelled test split: it is drawn from valid, copies kept together; "
                "test figures are not those of a published protocol."
            ],
        ),
    ],
)
def test_splits_that_were_drawn_are_told(donors: dict[str, str], description: list[str]) -> None:
    audit = an_audit(drawn={"faces": donors})
    assert [line for line in said(audit, "Images") if "drawn" in line] == description
    (missing,) = donors
    whose = f"the split is the dataset's own, save {missing}, made by the project."
    assert whose in audit_markdown(audit)


def test_a_copy_of_a_copy_that_leaves_is_told() -> None:
    chain: tuple[Pair, ...] = ((0, 24, "similar", 20), (0, 1, "similar", 20))
    audit = an_audit(pairs=chain, files=changed(left_out={0: COPY, 1: COPY}))
    across, further = said(audit, "Duplicates")[:2]
    assert "the 1 train image among them leaves" in across
    assert further == "1 further image leaves: a chain of copies leads to another split."


def test_pairs_with_an_image_in_no_split_stand_within_none() -> None:
    files = changed(left_out={0: "both labels", 8: "both labels"}, split={0: "", 8: ""})
    audit = an_audit(pairs=((0, 8, "similar", 3),), files=files, own_split=("faces",))
    assert said(audit, "Duplicates")[-1] == "1 listed pair has an image that is in no split."
    assert not any("within one split" in text for text in said(audit, "Duplicates"))


@pytest.mark.parametrize("copies", [MOST_PAIRS - 1, MOST_PAIRS])
def test_pairs_of_many_copies_are_at_least_so_many(copies: int, tmp_path: Path) -> None:
    files = image_files({"train": 40, "valid": 4, "test": 4})
    pairs = tuple((0, n, "similar", 9) for n in range(1, copies + 1))
    audit = an_audit(pairs=(*pairs, (38, 39, "identical", 0)), files=files)
    write_audit_report(audit, tmp_path)
    text = Page(tmp_path / "audit.html").text
    capped = copies >= MOST_PAIRS
    least = "at least " if capped else ""
    assert said(audit, "Duplicates")[1].startswith("1 pair of identical images stands")
    assert said(audit, "Duplicates")[2].startswith(f"{least.capitalize()}{copies} pairs of near")
    assert f"12 of {least}{copies + 1} pairs, identical ones and" in text
    assert ("connect all its copies" in text) == capped
    near = dict(audit_rows(audit))["near-duplicate pairs, across splits"]
    assert near == f"0 of {least}{copies}"


# Images and files


@pytest.mark.parametrize(
    ("fakes", "weight"), [({"train": 8, "valid": 4, "test": 4}, "good"), ({"train": 2}, "care")]
)
def test_balance(fakes: dict[str, int], weight: str) -> None:
    files = image_files()
    kept = files.groupby(["split", "label"]).cumcount() < files["split"].map(fakes).fillna(9)
    files = files[kept | (files["label"] == 0)].reset_index(drop=True)
    finding = find(an_audit(files=files)).topics["Images"][1]
    assert finding.weight == weight


def test_uneven_classes_alike_in_all_splits() -> None:
    files = image_files({"train": 8, "valid": 8, "test": 8})
    files = files[(files["label"] == 0) | (files.index % 4 == 0)].reset_index(drop=True)
    assert said(an_audit(files=files), "Images")[1].startswith(
        "The classes are uneven: fakes are 20 % of train, 20 % of valid and 20 % of test;"
    )


@pytest.mark.parametrize(
    ("per_class", "sentence"),
    [
        (200, "a ROC AUC near 0.80 will be known to ± 0.04 (95 %)."),
        (10_000, "will be known to ± 0.006 (95 %)."),
        (23, "± 0.13 (95 %); smaller differences between networks cannot be told."),
    ],
)
def test_what_the_test_split_can_tell(per_class: int, sentence: str) -> None:
    files = image_files({"train": 1, "valid": 1, "test": per_class})
    assert said(an_audit(files=files), "Images")[2].endswith(sentence)


def test_half_width_is_that_of_a_simulation() -> None:
    rng = np.random.default_rng(0)
    fake = rng.exponential(4.0, (4000, 60, 1))  # P(fake > real) = 4 / (4 + 1)
    real = rng.exponential(1.0, (4000, 1, 40))
    spread = (fake > real).mean(axis=(1, 2)).std()
    assert half_width_95(40, 60) == pytest.approx(1.96 * spread, rel=0.05)


@pytest.mark.parametrize(
    ("broken", "verdict"),
    [
        (5, "Fit, after 5 images were left out"),
        (6, "Not fit for a study: 6.0 % of the images of faces/train cannot be read"),
    ],
)
def test_unreadable_images_up_to_five_per_cent(broken: int, verdict: str) -> None:
    files = image_files({"train": 50, "valid": 25, "test": 25})
    files.loc[: broken - 1, ["error", "left_out"]] = ["truncated", "unreadable"]
    assert find(an_audit(files=files)).verdict == verdict
    files.loc[: broken - 1, "split"] = ""
    unsplit = an_audit(files=files.assign(place="faces"), own_split=("faces",))
    assert find(unsplit).verdict.startswith("Fit, after")


def test_a_broken_file_of_a_source_without_splits_is_one_of_its_files() -> None:
    files = two_sources()
    broken = files.index[files["source"] == "own"][0]
    files.loc[broken, ["error", "left_out", "split"]] = ["truncated", "unreadable", ""]
    verdict = find(a_mix(files=files)).verdict
    assert verdict == "Not fit for a study: 6.2 % of the images of own cannot be read"
    files.loc[files["source"] != "own", "source"] = "own"
    files["place"] = "own"
    assert find(a_mix(files=files)).verdict == "Fit, after 1 image was left out"


def test_odd_files_are_named() -> None:
    files = changed(wrong_extension={0: True, 1: True}, frames={2: 12})
    skipped = pd.DataFrame(
        [("faces", f"{n}", reason) for n, reason in enumerate(["a", "b", "c", "d", "a"])],
        columns=["source", "path", "reason"],
    )
    assert said(an_audit(files=files, skipped=skipped), "Images")[4:] == [
        "2 files hold another format than their names say; they are read by content.",
        "1 animation is used by the first frame alone.",
        "5 paths were not read as an image: 2 × a, 1 × b and 1 × c, among others.",
    ]


def test_facts_that_all_share() -> None:
    assert said(an_audit(), "Files") == [
        "All images share: JPEG, RGB, 64×64 pixels, one JPEG quantisation table, chroma 4:2:0, "
        "baseline JPEG, no EXIF data, no ICC profile.",
        "File sizes are alike: median 20.2 kB against 20.4 kB.",
    ]


def test_facts_that_differ() -> None:
    files = image_files({"train": 50, "valid": 20, "test": 20})
    is_fake = files["label"] == 1
    files.loc[is_fake & (files.index % 2 == 0), ["quantisation", "quality"]] = ["ba9876543210", 9.5]
    files.loc[~is_fake, "exif"] = True
    files.loc[is_fake, "size"] *= 3
    assert said(an_audit(files=files), "Files")[1:] == [
        "Fakes use 2 quantisation tables, reals 1. 50 % of the fakes have a table that no real "
        "has.",
        "The classes differ in EXIF data: 100 % of the reals and 0 % of the fakes have EXIF data.",
        "Fake files are 3.0 times as large: median 60.9 kB against 20.3 kB.",
    ]


def test_many_rare_values_are_no_difference() -> None:
    rng = np.random.default_rng(0)
    files = image_files({"train": 300, "valid": 1, "test": 1})
    files["width"] = rng.integers(100, 2000, len(files))
    sizes = fact_named(facts_of(files), "dimensions")
    assert sizes.difference > 0.7
    assert not sizes.differs
    files.loc[files["label"] == 1, "width"] = 256
    assert fact_named(facts_of(files), "dimensions").differs


def test_no_jpeg_at_all(tmp_path: Path) -> None:
    files = image_files().assign(format="PNG", quantisation="", quality=np.nan, subsampling="")
    audit = an_audit(files=files)
    assert said(audit, "Files")[0].startswith("All images share: PNG, RGB, 64×64 pixels, no EXIF")
    write_audit_report(audit, tmp_path)
    assert not (tmp_path / "pictures/quantisation.png").exists()
    assert len(pd.read_csv(tmp_path / "quantisation.csv")) == 0


# Metrics, rows, markdown


def test_metrics() -> None:
    files = changed(
        left_out={0: COPY, 1: "unreadable", 2: "both labels", 10: "both labels"},
        error={1: "truncated"},
        wrong_extension={3: True},
        frames={4: 2},
    )
    near: tuple[Pair, ...] = (
        (0, 24, "identical", 0),
        (2, 10, "identical", 0),
        (5, 25, "mirrored", 3),
        (6, 7, "similar", 8),
    )
    audit = an_audit(pairs=near, files=files)
    assert audit_metrics(audit) == {
        "data/shortcut_auc": 0.55,
        "data/shortcut_auc_low_95": 0.48,
        "data/shortcut_auc_high_95": 0.62,
        "data/images": 28.0,
        "data/unreadable_images": 1.0,
        "data/wrong_extensions": 1.0,
        "data/animated_images": 1.0,
        "data/skipped_files": 0.0,
        "data/identical_pairs": 2.0,
        "data/near_duplicate_pairs": 2.0,
        "data/near_duplicates_across_splits": 1.0,
        "data/identical_across_splits": 1.0,
        "data/manipulated_pairs": 0.0,
        "data/conflicting_images": 2.0,
        "data/leaks_removed": 1.0,
        "data/train_real_images": 5.0,
        "data/train_fake_images": 7.0,
        "data/valid_real_images": 4.0,
        "data/valid_fake_images": 4.0,
        "data/test_real_images": 4.0,
        "data/test_fake_images": 4.0,
    }
    assert all(type(value) is float for value in audit_metrics(audit).values())
    assert not any("shortcut" in name for name in audit_metrics(replace(audit, floor=None)))


def test_rows_are_short_and_start_with_the_verdict() -> None:
    rows = audit_rows(an_audit())
    assert rows[0] == ("verdict", "Fit for a study")
    assert ("train, real / fake", "8 / 8") in rows
    assert rows[-1] == ("shortcut ROC AUC", "0.550 (95 % 0.480 to 0.620)")
    assert audit_rows(an_audit(floor=None))[-1] == ("shortcut ROC AUC", "not measured")


def test_markdown_starts_with_the_verdict_in_bold_and_escapes_names() -> None:
    text = audit_markdown(an_audit(name="<b>a|b</b>\n# c"))
    first, _, second = text.splitlines()[:3]
    assert first == "**Fit for a study.**"
    assert second.startswith("&lt;b&gt;a\\|b&lt;/b&gt;\\\\n\\# c: 32 of 32 images would be used;")


# The files


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Images on disk, 14 pairs across splits, one within, one of opposite labels."""
    return a_full_audit(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def written(full: Audit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_audit_report(full, folder)
    return folder


def test_all_files_are_written(full: Audit, written: Path) -> None:
    found = {p.relative_to(written).as_posix() for p in written.rglob("*") if p.is_file()}
    pictures = {
        *("dimensions", "duplicates_across_splits", "duplicates_within_splits", "file_sizes"),
        *("manipulated_pairs", "quantisation", "shortcut"),
    }
    others = {"audit.html", "audit.md", "files.parquet", *TABLES}
    assert found == {*others, *(f"pictures/{name}.png" for name in pictures)}
    for name in pictures:
        with Image.open(written / f"pictures/{name}.png") as picture:
            assert picture.width == 864
            assert np.asarray(picture.convert("L")).std() > 4
    assert (written / "audit.md").read_text(encoding="utf-8") == audit_markdown(full)
    pd.testing.assert_frame_equal(pd.read_parquet(written / "files.parquet"), full.files)


def test_pictures_of_what_is_no_longer_found_go(full: Audit, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for name in ("shortcut", "opposite_labels", "manipulated_pairs"):
        (tmp_path / f"pictures/{name}.png").write_bytes(b"of an earlier report")
    write_audit_report(replace(full, pairs=full.pairs[:0], floor=None), tmp_path)
    left = {path.stem for path in (tmp_path / "pictures").iterdir()}
    assert left == {"dimensions", "file_sizes", "quantisation"}


def test_pairs_are_at_most_twelve_identical_then_most_alike(full: Audit) -> None:
    groups = {group.key: group for group in pair_groups(full)}
    across = groups["duplicates_across_splits"]
    assert (across.total, len(across.pairs)) == (14, 12)
    words = [pair.words for pair in across.pairs]
    assert words[:3] == ["identical", "18 of 256 bits differ", "19 of 256 bits differ"]
    assert [pair.words for pair in groups["duplicates_within_splits"].pairs] == [
        "mirrored, 5 of 256 bits differ",
    ]
    assert [pair.words for pair in groups["manipulated_pairs"].pairs] == ["1 of 256 bits differ"]
    tile = across.pairs[1].first
    assert (tile.split, tile.label, tile.name) == ("train", 0, "012.jpg")


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("duplicates_across_splits", 12),
        ("duplicates_within_splits", 1),
        ("manipulated_pairs", 1),
    ],
)
def test_a_picture_of_pairs_shows_both_images_of_each(written: Path, name: str, pairs: int) -> None:
    with Image.open(written / f"pictures/{name}.png") as picture:
        ground = (np.asarray(picture.convert("RGB")) == GROUND).all(axis=-1)
    patches = np.bincount(label(ground)[0].ravel())[1:]
    assert (patches > 500).sum() == 4 * pairs  # above and below each wide image


def test_the_page_shows_the_same_pairs(written: Path) -> None:
    page = Page(written / "audit.html")
    assert (page.count("figure", "pair"), page.count("div", "tile")) == (14, 28)
    assert page.count("img", "chart") == 4 - 1  # a single quantisation table needs no picture


def test_an_image_gone_from_disk_costs_its_tile(full: Audit, tmp_path: Path) -> None:
    gone = replace(full, folders={"faces": tmp_path / "gone"}, pairs=full.pairs[:2])
    write_audit_report(gone, tmp_path)
    assert Page(tmp_path / "audit.html").text.count("image no longer readable") == 4
    assert (tmp_path / "pictures/duplicates_across_splits.png").exists()


def test_duplicates_hold_both_ends(written: Path) -> None:
    table = pd.read_csv(written / "duplicates.csv")
    assert len(table) == 16
    first = table.iloc[0]
    assert (first["first_path"], first["second_path"]) == ("train/0/019.jpg", "test/0/060.jpg")
    assert (first["first_split"], first["second_label"]) == ("train", "real")
    assert table["across_splits"].tolist() == [True] * 14 + [False] * 2
    assert table["distance"].tolist()[1:14] == sorted(range(18, 31))
    assert table.iloc[14]["opposite_labels"]


def test_tables_count_what_a_study_would_use(tmp_path: Path) -> None:
    files = changed(
        left_out={0: "unreadable", 1: COPY},
        error={0: "truncated"},
        tier={8: "easy", 9: "hard"},
        quantisation={10: "ba9876543210"},
    )
    write_audit_report(an_audit(files=files), tmp_path)
    read = {name: pd.read_csv(tmp_path / name) for name in TABLES}
    balance = pd.read_csv(tmp_path / "balance.csv", keep_default_na=False)
    keys = ["source", "split", "class", "category", "tier"]
    assert balance.columns.tolist() == [*keys, "images", "left_out"]
    assert balance.iloc[0].tolist() == ["faces", "train", "fake", "", "", 6, 0]
    assert balance["images"].sum() == 30
    assert balance["left_out"].sum() == 2
    formats = read["formats.csv"]
    row = formats[(formats["fact"] == "format")].iloc[0]
    assert (row["value"], row["real"], row["fake"], row["fake_share"]) == ("JPEG", 14, 16, 1.0)
    quantisation = read["quantisation.csv"]
    assert quantisation["images"].tolist() == [14, 15, 1]
    assert quantisation["share"].tolist() == [1.0, 0.9375, 0.0625]
    assert read["file_sizes.csv"]["images"].tolist() == [14, 16]
    assert read["left_out.csv"]["reason"].tolist() == ["unreadable", COPY]
    assert read["problems.csv"]["problem"].tolist() == ["unreadable"]
    shortcut = read["shortcut.csv"]
    assert shortcut["source"].isna().all()
    assert shortcut["facts"].tolist()[:2] == ["all together", "JPEG quantisation"]


@pytest.mark.parametrize(
    "files",
    [
        image_files({}),
        image_files({"train": 1}),
        image_files().assign(
            left_out="unreadable", error="x", format="", mode="", quantisation="", width=0, height=0
        ),
        image_files()[lambda rows: rows["label"] == 1].reset_index(drop=True),
    ],
    ids=["no files", "one split", "nothing readable", "one class"],
)
def test_degenerate_datasets_are_reported(files: pd.DataFrame, tmp_path: Path) -> None:
    audit = an_audit(files=files, floor=None, own_split=("faces",))
    write_audit_report(audit, tmp_path)
    page = Page(tmp_path / "audit.html")
    assert "Not fit for a study" in page.text
    assert "No duplicates found." in page.text
    assert "nan" not in page.text.lower()
    assert all(name.startswith("data/") for name in audit_metrics(audit))


# Names from outside


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every name of the kind that breaks pages, tables or pictures, everywhere a name may be."""
    names = list(HOSTILE)
    count = len(names)
    files = changed(
        path=dict(enumerate(names)),
        left_out=dict.fromkeys(range(count), "unreadable"),
        error=dict.fromkeys(range(count), "no <b>image</b>\n| file"),
        tier={20: "<i>easy</i>|"},
    ).assign(source="<u>a|b</u>", place="<u>a|b</u>/train")
    pairs = tuple((n, 31, "similar", n) for n in range(count))
    skipped = pd.DataFrame(
        {
            "source": "<u>a|b</u>",
            "path": pd.Series(names, dtype="object"),
            "reason": ".<b>gif</b>\n| file",
        }
    )
    audit = an_audit(
        pairs=pairs,
        files=files,
        skipped=skipped,
        name="<script>alert(2)</script>|$x_1$\n",
        folders={"<u>a|b</u>": Path("/<b>no|where\n"), "<u>$x_1$\n": Path("/")},
        own_split=("<u>a|b</u>",),
        source_floors={"<u>a|b</u>": a_floor()},
    )
    folder = tmp_path_factory.mktemp("hostile")
    write_audit_report(audit, folder)
    return folder


def test_hostile_names_stay_text_on_the_page(hostile: Path) -> None:
    page = Page(hostile / "audit.html")
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "u", "i", "iframe", "a"}
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    for shown in (
        "<script>alert(1)</script>.jpg",
        "a|b|c.jpg",
        "two\\nlines\\r\\n.jpg",
        "{{ 7*7 }}",
    ):
        assert shown in page.text
    assert "\\u202egpj.exe" in page.text
    assert "x" * 200 not in page.text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", page.source)


def test_the_page_needs_nothing_from_outside(written: Path) -> None:
    page = Page(written / "audit.html")
    sources = [
        value for _, given in page.tags for key, value in given.items() if key in ("src", "href")
    ]
    assert sources
    assert all((value or "").startswith("data:") for value in sources)
    assert "url(" not in page.source
    assert "@import" not in page.source
    assert all(given.get("alt") for tag, given in page.tags if tag == "img")


def test_hostile_names_keep_one_row_a_line(hostile: Path) -> None:
    for name, rows in (("problems.csv", 22), ("left_out.csv", 11), ("duplicates.csv", 11)):
        lines = (hostile / name).read_bytes().decode("utf-8").splitlines()
        assert len(lines) == rows + 1
        assert len({len(cells) for cells in csv.reader(lines)}) == 1
    paths = pd.read_csv(hostile / "problems.csv")["path"].tolist()
    assert paths[1] == "a|b|c.jpg"
    assert paths[2] == "two\\nlines\\r\\n.jpg"
    assert paths[3] == "quo\"te's, and a comma.jpg"
    assert tuple(pd.read_parquet(hostile / "files.parquet")["path"][: len(HOSTILE)]) == HOSTILE


def test_hostile_names_keep_markdown_in_shape(hostile: Path) -> None:
    text = (hostile / "audit.md").read_text(encoding="utf-8")
    assert "<" not in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {3}


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "a…defg"),
        ("a\nb", 9, "a\\nb"),
        ("\udcff", 9, "\\udcff"),
        ("é 顔", 9, "é 顔"),
    ],
)
def test_names_are_shortened_in_their_middle(text: str, most: int, expected: str) -> None:
    assert elided(text, most) == expected
    assert len(elided(text * 50, most)) <= most
    assert visible(text).isprintable()


def paired_audit(images: int, pairs: int) -> Audit:
    """An audit of so many images of many sizes, and of so many pairs of them that look alike."""
    files = image_files({"train": 2 * images // 5, "valid": images // 20, "test": images // 20})
    files["width"] += np.arange(len(files)) % 500
    of_pairs = np.random.default_rng(0).integers(0, len(files), (pairs, 2))
    return an_audit(files=files, pairs=tuple((int(a), int(b), "similar", 9) for a, b in of_pairs))


def seconds_to_report(audit: Audit, folder: Path) -> float:
    """Write the report of an audit and return the processor's seconds that it took."""
    started = time.process_time()
    write_audit_report(audit, folder)
    return time.process_time() - started


def test_a_large_audit_is_nearly_as_quick_as_a_small_one_and_its_page_as_short(
    tmp_path: Path,
) -> None:
    small, large = paired_audit(1_000, 400), paired_audit(100_000, 40_000)
    of_small = seconds_to_report(small, tmp_path / "small")
    assert seconds_to_report(large, tmp_path / "large") < 2 * of_small
    assert "39,950 more in duplicates.csv." in Page(tmp_path / "large" / "audit.html").text
    assert len(pd.read_csv(tmp_path / "large" / "duplicates.csv")) == 40_000
    of_both = [(tmp_path / name / "audit.html").stat().st_size for name in ("small", "large")]
    assert of_both[1] < min(1_000_000, 1.2 * of_both[0])
    assert count(large).images == 100_000
