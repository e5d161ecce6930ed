"""Places that are hidden in what others read."""

import pytest

from fakeface_bench.support.text import A_PLACE, hide_places

KNOWN = ("/home/alice/my study", "faces/private")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at /home/alice/my study/test/real/jane_doe.png it is", f"at {A_PLACE} it is"),
        ("/home/alice/clinic/patients/x.png", A_PLACE),
        ("sqlite:////home/alice/x.db", A_PLACE),
        ("file:///home/alice/x", A_PLACE),
        ("error:/home/alice/a", f"error:{A_PLACE}"),
        ("host:/srv/x/y", f"host:{A_PLACE}"),
        ("~/faces and /faces", f"{A_PLACE} and {A_PLACE}"),
        (r"\\server\share\x", A_PLACE),
        (r"C:\Users\me\x.png", A_PLACE),
        ("--data faces/private/of_mine", f"--data {A_PLACE}"),
        ("postgresql://me:secret@host/studies", "postgresql://host/studies"),
    ],
)
def test_places_are_hidden_with_all_that_follows(text: str, shown: str) -> None:
    assert hide_places(text, KNOWN) == shown


@pytest.mark.parametrize(
    "text",
    [
        "https://www.kaggle.com/datasets/x/y",
        "test/roc_auc and explain/evidence_wrong.png",
        "12.3 images/s, 1/2, and/or",
        "log-odds × 1.31 +0",
    ],
)
def test_what_is_no_place_stays(text: str) -> None:
    assert hide_places(text, KNOWN) == text
