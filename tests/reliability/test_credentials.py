"""A password in the URL of a storage or of MLflow's store is shown to nobody."""

import pytest

from fakeface_bench.credentials import hide_credentials, without_credentials

HIDDEN = [
    ("postgresql://ann:secret@db:5432/x", "postgresql://db:5432/x"),
    ("postgresql+psycopg2://ann:secret@[::1]:5432/x", "postgresql+psycopg2://[::1]:5432/x"),
    ("postgresql://ann:a%40secret@db/x", "postgresql://db/x"),
    ("postgresql://ann:se/cret@db/x", "postgresql://db/x"),
    ("postgresql://ann:se@cret@db/x", "postgresql://db/x"),
    ("postgresql://ann:12/34secret@db/x", "postgresql://db/x"),
    ("postgresql://ann:#secret?@db/x", "postgresql://db/x"),
    ("postgresql://:secret@db/x", "postgresql://db/x"),
    ("https://secret@host/x", "https://host/x"),
    ("http://ann:secret@127.0.0.1:5000/#/runs/1?a=b", "http://127.0.0.1:5000/#/runs/1?a=b"),
    ("http://ann:1234@127.0.0.1:5000", "http://127.0.0.1:5000"),
    ("postgresql://db/x?user=ann&password=secret", "postgresql://db/x?user=ann&password=***"),
    ("postgresql://db/x?sslpassword=secret&a=b", "postgresql://db/x?sslpassword=***&a=b"),
    ("https://host/x?access_token=secret#top", "https://host/x?access_token=***#top"),
]
UNTOUCHED = [
    "sqlite:////home/ann@work/studies.db",
    "sqlite:///C:\\Users\\ann@work\\studies.db",
    "file:///C:/Users/ann@work",
    "http://127.0.0.1:5000/#/experiments/1/runs/a@b",
    "http://[::1]:5000/a@b",
    "https://host/@ann/x",
    "https://host?mail=ann@example.org",
    "https://host:443?mail=ann@example.org",
    "models:/fakeface@champion",
    "ask ann@example.org: C:\\Users\\ann@work, or see https://host:443",
    "Serve it: mlflow models serve -m models:/fakeface@champion",
    "the password is wrong; see http://host/password",
]


@pytest.mark.parametrize(("url", "shown"), HIDDEN)
def test_a_url_loses_its_credentials_alone_and_in_a_text(url: str, shown: str) -> None:
    assert without_credentials(url) == shown
    text = f"cannot reach '{url}' ({url}): see https://example.org or ann@example.org, {url}"
    assert hide_credentials(text) == text.replace(url, shown)


@pytest.mark.parametrize("text", UNTOUCHED)
def test_what_holds_none_stays_as_it_is(text: str) -> None:
    assert hide_credentials(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "http://a:secret@b,http://c:secret@d",
        "https://host/?next=postgresql%3A%2F%2Fann%3Asecret%40db%2Fx",
        "https://host/?next=postgresql%3a%2f%2fdb%2fx%3Fpassword%3Dsecret%26a%3Db",
        "host=db user=ann password=secret dbname=x",
        "['http://ann:secret@host', 'postgresql://ann:secret@host']",
        "HTTP://ann:secret@host",
        "postgresql://ann:secret@db\npostgresql://ann:secret@db",
    ],
)
def test_credentials_are_found_however_they_stand_in_a_text(text: str) -> None:
    assert "secret" not in hide_credentials(text)
