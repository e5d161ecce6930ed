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
from fakeface_bench.report import audit_checks, audit_page
from fakeface_bench.report.audit_checks import audit_metrics, find, half_width_95
from fakeface_bench.report.audit_page import pair_groups
from fakeface_bench.report.tiles import GROUND
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


def said(audit: Audit, topic: str) -> list[tuple[str, str, str, str]]:
    """Return (weight, check, found, remark) of one topic."""
    checks = find(audit).topics[topic]
    return [(check.weight, check.name, check.found, check.remark) for check in checks]


def row(audit: Audit, topic: str, name: str) -> tuple[str, str, str]:
    """Return (weight, found, remark) of one check."""
    return {name: (weight, *rest) for weight, name, *rest in said(audit, topic)}[name]


def audit_markdown(audit: Audit) -> str:
    return audit_checks.audit_markdown(audit, find(audit))


def audit_rows(audit: Audit) -> list[tuple[str, str]]:
    return audit_checks.audit_rows(find(audit))


def write_audit_report(audit: Audit, folder: Path) -> None:
    audit_page.write_audit_report(audit, find(audit), folder)


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
        ([0], "Fit, with 1 image left out"),
        ([0, 3], "Fit, with 2 images left out"),
    ],
)
def test_images_left_out_are_in_the_verdict(rows: list[int], verdict: str) -> None:
    files = image_files({"train": 120, "valid": 60, "test": 60})
    files.loc[rows, "left_out"] = COPY
    assert find(an_audit(files=files)).verdict == verdict


def test_a_class_that_loses_many_images_is_in_the_verdict() -> None:
    audit = an_audit(files=changed(left_out={0: COPY, 1: COPY, 17: COPY}))
    assert find(audit).verdict == "Fit, but copies cost 25.0% of the train real images"
    name = "train real images left out as copies"
    assert row(audit, "Duplicates", name) == (
        *("care", "2 (25.0%)", "studies weigh the classes alike"),
    )
    name = "valid real images left out as copies"
    assert row(audit, "Duplicates", name) == ("care", "1 (25.0%)", "")


def test_twins_are_no_copies_and_are_told_where_a_test_has_them() -> None:
    files = image_files()
    files.loc[[9, 30, 31], "kin"] = "one face"
    pairs: tuple[Pair, ...] = ((9, 30, "twin", 34), (30, 31, "twin", 40))
    audit = an_audit(pairs=pairs, files=files)
    assert find(audit).verdict == "Fit for a study"
    assert row(audit, "Duplicates", NEAR) == ("good", "0 of 0", "")
    assert row(audit, "Duplicates", "pairs of twins")[:2] == ("note", "2")
    name = "test images with a twin in train or valid"
    assert row(audit, "Duplicates", name)[:2] == ("care", "0 real, 2 fake")
    metrics = audit_metrics(audit)
    assert (metrics["data/twin_pairs"], metrics["data/twins_across_splits"]) == (2, 1)
    assert metrics["data/fake_test_images_with_twin"] == 2


def test_an_unmeasured_shortcut_is_in_the_verdict() -> None:
    findings = find(an_audit(floor=None))
    assert findings.verdict == "Fit for a study; shortcuts were not measured"
    assert said(an_audit(floor=None), "Shortcut") == [
        ("note", "shortcut ROC AUC", "not measured", "too few images")
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
        (image_files({}), "Not fit for a study: there is no image to use"),
        (
            image_files().assign(left_out="both labels"),
            "Not fit for a study: there is no image to use",
        ),
    ],
)
def test_no_images_at_all(files: pd.DataFrame, verdict: str) -> None:
    assert find(an_audit(files=files)).verdict == verdict


# The shortcut


AGAINST = "better than chance: read a test ROC AUC against it"


@pytest.mark.parametrize(
    ("floor", "verdict", "weight", "remark"),
    [
        (a_floor(), "Fit for a study", "good", "not better than chance"),
        (
            a_floor(0.55, 0.5, 0.6),
            "Fit for a study; too few images to rule out a shortcut",
            "note",
            "a shortcut is neither shown nor ruled out: 250 images could show one from 0.55",
        ),
        (
            replace(a_floor(), one_fact_high=0.61),
            "Fit for a study; too few images to rule out a shortcut",
            "note",
            "a shortcut is neither shown nor ruled out: one fact alone may reach 0.61",
        ),
        (
            a_floor(0.42, 0.38, 0.47),
            "Fit for a study; the shortcut measured is below chance",
            "note",
            "below chance: not interpretable",
        ),
        (
            a_floor(0.55, 0.5001, 0.6),
            "A slight shortcut: file metadata alone reaches ROC AUC 0.55",
            "care",
            AGAINST,
        ),
        (a_floor(0.52, 0.5001, 0.54), "Fit for a study", "note", AGAINST),
        (
            a_floor(0.7, 0.6, 0.8),
            "A shortcut: file metadata alone reaches ROC AUC 0.70",
            "care",
            AGAINST,
        ),
        (
            a_floor(0.9, 0.8, 0.95),
            "A strong shortcut: file metadata alone reaches ROC AUC 0.90",
            "bad",
            f"{AGAINST}; bring both classes through one encoder, at one size, before a study",
        ),
    ],
)
def test_shortcut(floor: ShortcutFloor, verdict: str, weight: str, remark: str) -> None:
    audit = an_audit(floor=floor)
    assert find(audit).verdict == verdict
    found = f"{floor.roc_auc:.3f} (95 % {floor.low_95:.3f} to {floor.high_95:.3f})"
    assert row(audit, "Shortcut", "shortcut ROC AUC") == (weight, found, remark)


def test_the_strongest_facts_of_a_shortcut_are_named() -> None:
    strongest = ("note", "strongest alone: JPEG quantisation", "0.600", "")
    assert said(an_audit(floor=a_floor(0.6, 0.55, 0.65)), "Shortcut")[1:] == [strongest]
    assert said(an_audit(floor=a_floor(0.5, 0.48, 0.53)), "Shortcut")[1:] == []
    floor = replace(a_floor(0.6, 0.55, 0.65), alone={})
    assert said(an_audit(floor=floor), "Shortcut")[1:] == []


def test_source_floors_are_told_apart() -> None:
    floors = {"own": a_floor(0.58, 0.5, 0.66), "official": a_floor(0.42, 0.38, 0.47)}
    audit = a_mix(source_floors=floors)
    below = "below chance: not interpretable"
    unknown = "a shortcut is neither shown nor ruled out: 250 images could show one from 0.58"
    assert said(audit, "Shortcut")[1:] == [
        ("note", "shortcut ROC AUC, own", "0.580 (95 % 0.500 to 0.660)", unknown),
        ("note", "shortcut ROC AUC, official", "0.420 (95 % 0.380 to 0.470)", below),
    ]
    assert find(audit).verdict == "Fit for a study"
    assert said(replace(audit, source_floors={"own": a_floor()}), "Shortcut")[-1] == (
        *("note", "shortcut ROC AUC, official", "not measured", "too few images"),
    )


def test_a_shortcut_in_one_source_is_in_the_verdict() -> None:
    audit = a_mix(source_floors={"own": a_floor(0.95, 0.9, 0.99), "official": a_floor()})
    assert find(audit).verdict == (
        "A strong shortcut in own: file metadata alone reaches ROC AUC 0.95"
    )
    assert row(audit, "Shortcut", "shortcut ROC AUC, own")[0] == "bad"


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
    ("own_split", "unsplit", "whose"),
    [
        ((), (), "official"),
        (("own", "official"), (), "made by the project"),
        (("own",), (), "made by the project for own, official for official"),
        (("own",), ("own",), "could not be made for own, official for official"),
    ],
)
def test_whose_split_it_is(
    own_split: tuple[str, ...], unsplit: tuple[str, ...], whose: str, tmp_path: Path
) -> None:
    files = two_sources()
    files.loc[files["source"].isin(unsplit), "split"] = ""
    audit = a_mix(files=files, own_split=own_split)
    assert audit_markdown(audit).splitlines()[2].endswith(f"; split: {whose}.")
    write_audit_report(audit, tmp_path)
    assert f"<dd>{whose}</dd>" in (tmp_path / "audit.html").read_text()


def test_a_source_too_small_to_be_split_is_not_fit(tmp_path: Path) -> None:
    files = two_sources()
    own = files["source"] == "own"
    files.loc[own, "split"] = ""
    files.loc[own & (files["label"] == 1), "group"] = "one face"
    audit = a_mix(files=files)
    findings = find(audit)
    assert findings.verdict == "Not fit for a study: own could not be split"
    assert said(audit, "Images")[0] == (
        "bad",
        "no split for own, real / fake",
        "8 / 8",
        "it shows 1 different fake picture (in 8 files); 3 of each class are needed, and copies of "
        "one picture count once",
    )
    assert ("images not left out", "32 of 32") in audit_rows(audit)
    assert audit_metrics(audit)["data/train_real_images"] == 4
    write_audit_report(audit, tmp_path)
    assert "no split" in Page(tmp_path / "audit.html").text


def test_one_source_that_could_not_be_split_says_only_that() -> None:
    audit = an_audit(files=image_files().assign(split="", place="faces"), own_split=("faces",))
    assert find(audit).verdict == "Not fit for a study: faces could not be split"
    assert said(audit, "Images")[1:] == [("good", "unreadable images", "0", "")]
    assert "; split: could not be made." in audit_markdown(audit)


# Duplicates


IDENTICAL, NEAR = "identical pairs across splits", "near-duplicate pairs across splits"


def test_no_duplicates() -> None:
    assert said(an_audit(), "Duplicates") == [
        ("good", IDENTICAL, "0 of 0", ""),
        ("good", NEAR, "0 of 0", ""),
    ]


def test_pairs_across_splits_say_which_images_leave() -> None:
    near: tuple[Pair, ...] = (
        (0, 24, "similar", 24),
        (1, 25, "mirrored", 9),
        (17, 26, "similar", 3),
    )
    audit = an_audit(pairs=near, files=changed(left_out={0: COPY, 1: COPY, 17: COPY}))
    assert row(audit, "Duplicates", NEAR) == ("care", "3 of 3", "left out: 2 train, 1 valid")


def test_identical_pairs_are_counted_apart() -> None:
    audit = an_audit(pairs=((0, 24, "identical", 0),), files=changed(left_out={0: COPY}))
    assert row(audit, "Duplicates", IDENTICAL) == ("care", "1 of 1", "left out: 1 train")
    assert row(audit, "Duplicates", NEAR) == ("good", "0 of 0", "")


def test_pairs_that_would_be_used_whole_are_not_fit() -> None:
    near: tuple[Pair, ...] = ((0, 24, "similar", 24), (1, 25, "similar", 9))
    audit = an_audit(pairs=near, files=changed(left_out={0: COPY}))
    assert find(audit).verdict == "Not fit for a study: 1 pair of near-duplicates would leak"
    remark = "left out: 1 train; 1 pair would be used whole and leak"
    assert row(audit, "Duplicates", NEAR) == ("bad", "2 of 2", remark)


def test_pairs_within_a_split_do_not_leak() -> None:
    audit = an_audit(pairs=((0, 1, "similar", 4), (2, 3, "identical", 0)), own_split=("faces",))
    remark = "no leak, but fewer different pictures than images"
    assert said(audit, "Duplicates") == [
        ("good", IDENTICAL, "0 of 1", ""),
        ("good", NEAR, "0 of 1", ""),
        ("note", "identical pairs within one split", "1", remark),
        ("note", "near-duplicate pairs within one split", "1", remark),
    ]
    assert find(audit).weight == "good"


def test_opposite_labels_are_told_apart_by_kind() -> None:
    files = changed(left_out={0: "both labels", 8: "both labels"})
    audit = an_audit(pairs=((0, 8, "identical", 0), (1, 9, "similar", 20)), files=files)
    both = row(audit, "Duplicates", "identical pairs with both labels")
    assert both == ("care", "1", "nobody knows which label is correct; left out")
    made = row(audit, "Duplicates", "manipulations with their originals")
    assert made[:2] == ("note", "1")
    assert made[2].startswith("alike, with opposite labels: 1 used, in one split")
    assert find(audit).verdict == "Fit, with 2 images left out"


def test_manipulations_that_leave_are_not_said_to_be_used() -> None:
    pairs: tuple[Pair, ...] = ((0, 8, "similar", 9), (1, 9, "mirrored", 9), (2, 28, "similar", 9))
    audit = an_audit(pairs=pairs, files=changed(left_out={2: COPY}))
    _, found, remark = row(audit, "Duplicates", "manipulations with their originals")
    assert (found, ": 2 used, in one split" in remark) == ("3", True)
    assert audit_metrics(audit)["data/manipulated_pairs"] == 3
    assert audit_metrics(audit)["data/conflicting_images"] == 0


@pytest.mark.parametrize(
    ("missing", "donor", "weight", "remark"),
    [
        ("valid", "train", "note", ""),
        ("test", "valid", "care", "test metrics are not those of a published protocol"),
    ],
)
def test_splits_that_were_drawn_are_told(
    missing: str, donor: str, weight: str, remark: str
) -> None:
    audit = an_audit(drawn={"faces": {missing: donor}})
    found = f"drawn from {donor}, copies kept together"
    name = f"no labelled {missing} split in faces"
    assert row(audit, "Images", name) == (weight, found, remark)
    assert f"split: official, {missing} made by the project." in audit_markdown(audit)


def test_a_copy_of_a_copy_that_leaves_is_told() -> None:
    chain: tuple[Pair, ...] = ((0, 24, "similar", 20), (0, 1, "similar", 20))
    audit = an_audit(pairs=chain, files=changed(left_out={0: COPY, 1: COPY}))
    assert row(audit, "Duplicates", NEAR) == ("care", "1 of 2", "left out: 1 train")
    further = row(audit, "Duplicates", "further copies left out")
    assert further == ("care", "1", "a chain of copies leads to another split")


def test_pairs_with_an_image_in_no_split_stand_within_none() -> None:
    files = changed(left_out={0: "both labels", 8: "both labels"}, split={0: "", 8: ""})
    audit = an_audit(pairs=((0, 8, "similar", 3),), files=files, own_split=("faces",))
    assert said(audit, "Duplicates")[-1] == ("note", "pairs with an image in no split", "1", "")
    assert not any("within one split" in check for _, check, *_ in said(audit, "Duplicates"))


@pytest.mark.parametrize("copies", [MOST_PAIRS - 1, MOST_PAIRS])
def test_pairs_of_many_copies_are_at_least_so_many(copies: int, tmp_path: Path) -> None:
    files = image_files({"train": 40, "valid": 4, "test": 4})
    pairs = tuple((0, n, "similar", 9) for n in range(1, copies + 1))
    audit = an_audit(pairs=(*pairs, (38, 39, "identical", 0)), files=files)
    write_audit_report(audit, tmp_path)
    text = Page(tmp_path / "audit.html").text
    capped = copies >= MOST_PAIRS
    least = "at least " if capped else ""
    within = "near-duplicate pairs within one split"
    assert row(audit, "Duplicates", "identical pairs within one split")[1] == "1"
    assert row(audit, "Duplicates", within)[1] == f"{least}{copies}"
    assert f"12 of {least}{copies + 1} pairs, identical ones and" in text
    assert ("connect all its copies" in text) == capped
    near = dict(audit_rows(audit))[NEAR]
    assert near == f"0 of {least}{copies}"


# Images and files


@pytest.mark.parametrize(
    ("fakes", "weight"), [({"train": 8, "valid": 4, "test": 4}, "good"), ({"train": 2}, "care")]
)
def test_balance(fakes: dict[str, int], weight: str) -> None:
    files = image_files()
    kept = files.groupby(["split", "label"]).cumcount() < files["split"].map(fakes).fillna(9)
    files = files[kept | (files["label"] == 0)].reset_index(drop=True)
    assert row(an_audit(files=files), "Images", "share of fakes")[0] == weight


def test_uneven_classes_alike_in_all_splits() -> None:
    files = image_files({"train": 8, "valid": 8, "test": 8})
    files = files[(files["label"] == 0) | (files.index % 4 == 0)].reset_index(drop=True)
    assert row(an_audit(files=files), "Images", "share of fakes") == (
        *("care", "train 20 %, valid 20 %, test 20 %"),
        "uneven: accuracy favours the larger class, so read ROC AUC",
    )


@pytest.mark.parametrize(
    ("per_class", "found", "remark"),
    [
        (200, "± 0.04 (95 %)", ""),
        (10_000, "± 0.006 (95 %)", ""),
        (23, "± 0.13 (95 %)", "smaller differences between networks cannot be shown"),
    ],
)
def test_what_the_test_split_can_show(per_class: int, found: str, remark: str) -> None:
    files = image_files({"train": 1, "valid": 1, "test": per_class})
    precision = row(an_audit(files=files), "Images", "precision of a test ROC AUC near 0.80")
    assert precision == ("care" if remark else "note", found, remark)


def test_half_width_is_that_of_a_simulation() -> None:
    rng = np.random.default_rng(0)
    fake = rng.exponential(4.0, (4000, 60, 1))  # P(fake > real) = 4 / (4 + 1)
    real = rng.exponential(1.0, (4000, 1, 40))
    spread = (fake > real).mean(axis=(1, 2)).std()
    assert half_width_95(40, 60) == pytest.approx(1.96 * spread, rel=0.05)


@pytest.mark.parametrize(
    ("broken", "verdict"),
    [
        (5, "Fit, with 5 images left out"),
        (6, "Not fit for a study: 6.0 % of the images of faces/train cannot be read"),
    ],
)
def test_unreadable_images_up_to_five_per_cent(broken: int, verdict: str) -> None:
    files = image_files({"train": 50, "valid": 25, "test": 25})
    files.loc[: broken - 1, ["error", "left_out"]] = ["truncated", "unreadable"]
    assert find(an_audit(files=files)).verdict == verdict
    files.loc[: broken - 1, "split"] = ""
    unsplit = an_audit(files=files.assign(place="faces"), own_split=("faces",))
    assert find(unsplit).verdict.startswith("Fit, with")


def test_a_broken_file_of_a_source_without_splits_is_one_of_its_files() -> None:
    files = two_sources()
    broken = files.index[files["source"] == "own"][0]
    files.loc[broken, ["error", "left_out", "split"]] = ["truncated", "unreadable", ""]
    verdict = find(a_mix(files=files)).verdict
    assert verdict == "Not fit for a study: 6.2 % of the images of own cannot be read"
    files.loc[files["source"] != "own", "source"] = "own"
    files["place"] = "own"
    assert find(a_mix(files=files)).verdict == "Fit, with 1 image left out"


def test_odd_files_are_named() -> None:
    files = changed(wrong_extension={0: True, 1: True}, frames={2: 12})
    skipped = pd.DataFrame(
        [("faces", f"{n}", reason) for n, reason in enumerate(["a", "b", "c", "d", "a"])],
        columns=["source", "path", "reason"],
    )
    assert said(an_audit(files=files, skipped=skipped), "Images")[-3:] == [
        (
            "care",
            "wrong extensions",
            "2",
            "another format than the file's name says; read by content",
        ),
        ("care", "animations", "1", "only the first frame is used"),
        ("note", "files skipped", "5", "2 × a, 1 × b, 1 × c, 1 for other reasons"),
    ]


def test_facts_that_all_share() -> None:
    alike = (
        "file format, colour mode, size in pixels, JPEG quantisation table, chroma subsampling, "
        "progressive JPEG, EXIF data, ICC profile"
    )
    assert said(an_audit(), "Files") == [
        ("good", "the same in both classes", alike, ""),
        ("good", "median file size", "real 20.4 kB, fake 20.2 kB", "fake / real: 0.99"),
    ]


def test_facts_that_differ() -> None:
    files = image_files({"train": 50, "valid": 20, "test": 20})
    is_fake = files["label"] == 1
    files.loc[is_fake & (files.index % 2 == 0), ["quantisation", "quality"]] = ["ba9876543210", 9.5]
    files.loc[~is_fake, "exif"] = True
    files.loc[is_fake, "size"] *= 3
    audit = an_audit(files=files)
    weight, _, remark = row(audit, "Files", "JPEG quantisation table")
    assert (weight, remark) == ("care", "50 % of the fakes have a table that no real has")
    assert row(audit, "Files", "EXIF data") == ("care", "real yes 100 %; fake no 100 %", "")
    assert row(audit, "Files", "median file size")[0] == "note"
    assert "EXIF" not in row(audit, "Files", "the same in both classes")[1]


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
    assert "quantisation" not in row(audit, "Files", "the same in both classes")[1]
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
        "data/shortcut_auc_high_95": 0.59,
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
        "data/twin_pairs": 0.0,
        "data/twins_across_splits": 0.0,
        "data/real_test_images_with_twin": 0.0,
        "data/fake_test_images_with_twin": 0.0,
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
    assert ("shortcut ROC AUC", "0.550 (95 % 0.480 to 0.590)") in rows
    assert ("shortcut ROC AUC", "not measured") in audit_rows(an_audit(floor=None))


def test_markdown_starts_with_the_verdict_in_bold_and_escapes_names() -> None:
    text = audit_markdown(an_audit(name="<b>a|b</b>\n# c"))
    first, _, second = text.splitlines()[:3]
    assert first == "**Fit for a study.**"
    assert second.startswith("&lt;b&gt;a\\|b&lt;/b&gt;\\\\n\\# c: 32 of 32 images used; split")


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
    assert (tile.words, tile.label, tile.name) == ("train", 0, "012.jpg")


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


def test_files_are_told_by_generator_and_real_source(tmp_path: Path) -> None:
    """One generator's files were saved by another program, and are larger."""
    fakes = [n for n, label in enumerate(image_files()["label"]) if label == 1]
    sd, gan = fakes[:4], fakes[4:]
    files = changed(
        generator={**dict.fromkeys(sd, "sd3"), **dict.fromkeys(gan, "stylegan2")},
        released={**dict.fromkeys(sd, "2024-06"), **dict.fromkeys(gan, "2019-12")},
        quantisation=dict.fromkeys(sd, "ba9876543210"),
        width=dict.fromkeys(sd[:3], 128),
    )
    write_audit_report(an_audit(files=files), tmp_path)
    table = pd.read_csv(tmp_path / "made_by.csv").set_index("made_by")
    assert table.index.tolist() == ["faces", "sd3", "stylegan2"]
    assert table["class"].tolist() == ["real", "fake", "fake"]
    assert table["images"].tolist() == [16, 4, len(gan)]
    assert table.loc["sd3", "jpeg_table"] == "ba9876543210"
    assert (table.loc["sd3", "pixel_size"], table.loc["sd3", "pixel_size_share"]) == (
        "128×64",
        0.75,
    )
    assert table.loc["stylegan2", "jpeg_table_share"] == 1.0
    page = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert "Files by generator and real source" in page
    assert "Images by generator" in page
    write_audit_report(an_audit(), tmp_path / "plain")
    assert not (tmp_path / "plain" / "made_by.csv").exists()


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
    keys = ["source", "split", "class", "category", "generator", "released", "tier"]
    assert balance.columns.tolist() == [*keys, "images", "left_out"]
    assert balance.iloc[0].tolist() == ["faces", "train", "fake", "", "", "", "", 6, 0]
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
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {5}


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


@pytest.mark.slow
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
