"""A closer look tells a copy, however it was processed, from another picture of the same face."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from fakeface_bench.data.synthetic.dataset import write_synthetic
from fakeface_bench.data.twins import COPY_DETAIL, TWIN_DETAIL, detail_correlation
from tests.conftest import shared

SIDE = 192


def textured(seed: int, fine: int) -> Image.Image:
    """A picture whose coarse half is one and the same, and whose detail depends on `fine`."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(60, 190, (6, 6, 3), dtype=np.uint8))
    coarse = coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(1000 + fine).normal(0, 60, (SIDE // 4, SIDE // 4))
    shown = Image.fromarray(np.clip(128 + noise, 0, 255).astype(np.uint8))
    detail = np.asarray(shown.resize((SIDE, SIDE), Image.Resampling.BICUBIC), float) - 128
    pixels = np.asarray(coarse, float) + detail[:, :, None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def margin_cut(image: Image.Image, share: float) -> Image.Image:
    cut = round(share * image.width)
    return image.crop((cut, cut, image.width - cut, image.height - cut))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "halved": lambda image: image.resize((SIDE // 2, SIDE // 2)),
    "doubled": lambda image: image.resize((2 * SIDE, 2 * SIDE)),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.7),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1.0)),
    "1 % cut off": lambda image: margin_cut(image, 0.01),
    "2 % cut off": lambda image: margin_cut(image, 0.02),
    "turned by 1 degree": lambda image: image.rotate(1, Image.Resampling.BICUBIC),
}


def saved(image: Image.Image, path: Path, **options: int) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_keeps_its_details(tmp_path: Path, change: str) -> None:
    original = textured(1, 1)
    one = saved(original, tmp_path / "one.png")
    other = saved(CHANGES[change](original), tmp_path / "other.png")
    assert detail_correlation(one, other, mirrored=False) >= COPY_DETAIL
    assert detail_correlation(other, one, mirrored=False) >= COPY_DETAIL


@pytest.mark.parametrize("quality", [90, 50, 30])
def test_a_mirrored_jpeg_is_a_copy_in_the_mirror_alone(tmp_path: Path, quality: int) -> None:
    original = textured(1, 1)
    one = saved(original, tmp_path / "one.png")
    other = saved(ImageOps.mirror(original), tmp_path / "other.jpg", quality=quality)
    assert detail_correlation(one, other, mirrored=True) >= COPY_DETAIL
    assert detail_correlation(one, other, mirrored=False) < TWIN_DETAIL


def test_the_same_picture_with_other_details_is_no_copy(tmp_path: Path) -> None:
    one = saved(textured(1, 1), tmp_path / "one.png")
    other = saved(textured(1, 2), tmp_path / "other.png")
    assert detail_correlation(one, other, mirrored=False) < COPY_DETAIL


def test_of_a_file_that_is_gone_or_broken_nothing_is_known(tmp_path: Path) -> None:
    one = saved(textured(1, 1), tmp_path / "one.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    for name in ("broken.png", "gone.png"):
        assert np.isnan(detail_correlation(one, tmp_path / name, mirrored=False))


def test_pictures_without_detail_correlate_with_nothing(tmp_path: Path) -> None:
    blank = saved(Image.new("RGB", (SIDE, SIDE), "grey"), tmp_path / "blank.png")
    assert detail_correlation(blank, blank, mirrored=False) <= 0


def test_drawn_faces_are_copies_of_themselves_and_of_nobody_else(tmp_path: Path) -> None:
    write_synthetic(tmp_path, 14, 3)
    faces = sorted(tmp_path.rglob("*.jpg"))[:8]
    again = [
        saved(Image.open(face).convert("RGB"), tmp_path / f"{number}.jpg", quality=40)
        for number, face in enumerate(faces)
    ]
    for place, face in enumerate(faces):
        found = [detail_correlation(face, copy, mirrored=False) for copy in again]
        assert found[place] >= COPY_DETAIL
        assert max(found[:place] + found[place + 1 :]) < COPY_DETAIL


def test_real_copies_and_a_real_twin() -> None:
    """Two faces that StyleGAN drew from one latent vector with other noise."""
    folder = shared("data/140k_subset") / "real_vs_fake/real-vs-fake"
    one, other = folder / "train/fake/01WIL4POL6.jpg", folder / "test/fake/1KEL7DFB02.jpg"
    assert TWIN_DETAIL < detail_correlation(one, other, mirrored=False) < COPY_DETAIL
    assert detail_correlation(one, one, mirrored=False) == pytest.approx(1)
