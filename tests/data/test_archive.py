"""An archive that would write outside its folder is refused before anything is unpacked."""

import io
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from fakeface_bench.data.archive import ArchiveContents, check_archive, check_room
from fakeface_bench.support.errors import DataError

CONTENT = b"pixels"


def zipped(path: Path, name: str, mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("real/1.jpg", CONTENT)
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        archive.writestr(entry, CONTENT)
    return path


def tarred(path: Path, name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for member_name, member_kind in (("real/1.jpg", tarfile.REGTYPE), (name, kind)):
            member = tarfile.TarInfo(member_name)
            member.type, member.linkname = member_kind, target
            member.size = len(CONTENT) if member_kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(CONTENT))
    return path


def test_plain_files_and_folders_are_counted(tmp_path: Path) -> None:
    for name in ("fake/2.jpg", "./fake/2.jpg", "fake/a..b.jpg", "fake/…ü 2.jpg"):
        two_files = ArchiveContents(2, 2 * len(CONTENT))
        assert check_archive(zipped(tmp_path / "a.zip", name)) == two_files
        assert check_archive(tarred(tmp_path / "a.tar.gz", name)) == two_files
    one_file = zipped(tmp_path / "a.zip", "fake/", stat.S_IFDIR | 0o755)
    assert check_archive(one_file).files == 1
    assert check_archive(tarred(tmp_path / "a.tar", "fake", tarfile.DIRTYPE)).files == 1


@pytest.mark.parametrize("write", [zipped, tarred])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../evil.jpg", "a path out of its folder"),
        ("fake/../../evil.jpg", "a path out of its folder"),
        ("fake\\..\\..\\evil.jpg", "a path out of its folder"),
        ("/tmp/evil.jpg", "an absolute path"),
        ("\\evil.jpg", "an absolute path"),
        ("C:\\evil.jpg", "an absolute path"),
        ("C:evil.jpg", "an absolute path"),
    ],
)
def test_a_path_that_leads_outside_is_refused_by_name(
    tmp_path: Path, write: object, name: str, why: str
) -> None:
    assert callable(write)
    path = write(tmp_path / "faces", name)
    with pytest.raises(DataError) as refusal:
        check_archive(path)
    assert f"the archive faces holds {name!r}, {why};" in str(refusal.value)
    assert "nothing of it was" in str(refusal.value)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a device"),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, kind: bytes, why: str) -> None:
    path = tarred(tmp_path / "faces.tar.gz", "fake/1.jpg", kind, target="/etc/hostname")
    with pytest.raises(DataError, match=f"holds 'fake/1.jpg', {why};"):
        check_archive(path)


@pytest.mark.parametrize(
    ("mode", "why"),
    [(stat.S_IFLNK | 0o777, "a link"), (stat.S_IFCHR, "a device"), (stat.S_IFIFO, "a device")],
)
def test_links_and_devices_in_a_zip_are_refused(tmp_path: Path, mode: int, why: str) -> None:
    with pytest.raises(DataError, match=f"holds 'fake/1.jpg', {why};"):
        check_archive(zipped(tmp_path / "faces.zip", "fake/1.jpg", mode))


@pytest.mark.parametrize("content", [b"", b"<html>Sign in</html>", b"PK\x03\x04 cut"])
def test_what_is_no_archive_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "faces").write_bytes(content)
    with pytest.raises(zipfile.BadZipFile, match="neither a zip nor a tar"):
        check_archive(tmp_path / "faces")


def test_more_than_the_disk_has_room_for_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    check_room(1, folder)
    needed = shutil.disk_usage(tmp_path).total * 2
    with pytest.raises(DataError, match=f"needs {needed:,} bytes and its disk has [0-9,]+ free"):
        check_room(needed, folder)
    assert not folder.exists()
