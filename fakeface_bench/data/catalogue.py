"""The datasets known by name, as a literal table; any folder of faces works beside it."""

from fakeface_bench.config import CLASS_NAMES
from fakeface_bench.data.dataset import Dataset
from fakeface_bench.data.hugging_face import fetch_hugging_face
from fakeface_bench.data.kaggle import fetch_kaggle
from fakeface_bench.data.synthetic.dataset import prepare_synthetic
from fakeface_bench.support.errors import unknown_name


def _balanced(**sizes: int) -> dict[tuple[str | None, str], int]:
    """Return the counts of official splits that hold so many images of each class."""
    return {(split, name): size for split, size in sizes.items() for name in CLASS_NAMES}


_AS_PUBLIC_CODE_HAS_IT = (
    "the archive could not be fetched where this was built: numbers, sizes and folders are as "
    "public code has them"
)
DATASETS: tuple[Dataset, ...] = (
    Dataset(
        key="synthetic",
        title="embedded: drawn faces, half of them with a generator's traces",
        source="drawn by fakeface_bench",
        url="",
        layout="real_vs_fake/real-vs-fake/{train,valid,test}/{real,fake}",
        counts=_balanced(train=700, valid=150, test=150),
        image_size_px=256,
        kind="drawn",
        licence="Apache-2.0, as fakeface_bench itself; shows no real person",
        citation="fakeface_bench",
        prepare=prepare_synthetic,
    ),
    Dataset(
        key="140k",
        title="Kaggle: Flickr portraits against StyleGAN faces, official splits",
        source="xhlulu/140k-real-and-fake-faces",
        url="https://www.kaggle.com/datasets/xhlulu/140k-real-and-fake-faces",
        layout="real_vs_fake/real-vs-fake/{train,valid,test}/{real,fake}",
        counts=_balanced(train=50_000, valid=10_000, test=10_000),
        image_size_px=256,
        kind="GAN (StyleGAN)",
        licence="reals: FFHQ, CC BY-NC-SA 4.0, non-commercial; fakes: see the dataset's page",
        citation="Karras, Laine & Aila 2019, arXiv:1812.04948 (FFHQ and StyleGAN); "
        "brought together by xhlulu on Kaggle",
        prepare=fetch_kaggle,
        generators={"": "stylegan"},
    ),
    Dataset(
        key="ciplab",
        title="Kaggle: portraits against faces composed by Photoshop experts",
        source="ciplab/real-and-fake-face-detection",
        url="https://www.kaggle.com/datasets/ciplab/real-and-fake-face-detection",
        layout="real_and_fake_face/{training_real,training_fake}, no official split",
        counts={(None, "real"): 1_081, (None, "fake"): 960},
        image_size_px=600,
        kind="composite (Photoshop)",
        licence="see the dataset's page",
        citation="Computational Intelligence and Photography Lab, Yonsei University: "
        "Real and Fake Face Detection, Kaggle",
        prepare=fetch_kaggle,
    ),
    Dataset(
        key="hardfakevsreal",
        title="Kaggle: Unsplash portraits against StyleGAN2 faces",
        source="hamzaboulahia/hardfakevsrealfaces",
        url="https://www.kaggle.com/datasets/hamzaboulahia/hardfakevsrealfaces",
        layout="{real,fake}, no official split",
        counts={(None, "real"): 589, (None, "fake"): 700},
        image_size_px=300,
        kind="GAN (StyleGAN2)",
        licence="see the dataset's page; reals come from Unsplash, fakes from StyleGAN2",
        citation="Hamza Boulahia: Fake-Vs-Real-Faces (Hard), Kaggle; "
        "StyleGAN2: Karras et al. 2020, arXiv:1912.04958",
        prepare=fetch_kaggle,
        generators={"": "stylegan2"},
    ),
    Dataset(
        key="stylegan3",
        title="Kaggle: portraits against StyleGAN3 faces",
        source="troykueh/real-vs-fake-faces-stylegan3",
        url="https://www.kaggle.com/datasets/troykueh/real-vs-fake-faces-stylegan3",
        layout="{Real faces,Fake faces}, no official split; metadata.csv",
        counts={(None, "real"): 10_000, (None, "fake"): 10_000},
        image_size_px=1_024,
        kind="GAN (StyleGAN3)",
        licence="see the dataset's page",
        citation="troykueh: Real vs Fake Faces (StyleGAN3), Kaggle; "
        "StyleGAN3: Karras et al. 2021, arXiv:2106.12423",
        prepare=fetch_kaggle,
        generators={"": "stylegan3"},
        unchecked=_AS_PUBLIC_CODE_HAS_IT,
    ),
    Dataset(
        key="openforensics",
        title="Kaggle: faces in photographs against faces swapped into them, official splits",
        source="manjilkarki/deepfake-and-real-images",
        url="https://www.kaggle.com/datasets/manjilkarki/deepfake-and-real-images",
        layout="Dataset/{Train,Validation,Test}/{Fake,Real}",
        counts={
            ("train", "real"): 70_001,
            ("train", "fake"): 70_001,
            ("valid", "real"): 19_787,
            ("valid", "fake"): 19_641,
            ("test", "real"): 5_413,
            ("test", "fake"): 5_492,
        },
        image_size_px=256,
        kind="swap (OpenForensics)",
        licence="see the dataset's page; OpenForensics: CC BY 4.0",
        citation="Le et al. 2021, OpenForensics, arXiv:2107.14480; "
        "brought into this form by manjilkarki on Kaggle",
        prepare=fetch_kaggle,
        generators={"": "openforensics"},
        unchecked=_AS_PUBLIC_CODE_HAS_IT,
    ),
    Dataset(
        key="sfhq_t2i",
        title="Kaggle: faces of five text-to-image models and no real ones, to join or to test on",
        source="selfishgene/sfhq-t2i-synthetic-faces-from-text-2-image-models",
        url="https://www.kaggle.com/datasets/selfishgene/"
        "sfhq-t2i-synthetic-faces-from-text-2-image-models",
        layout="images/<MODEL>_image_<NUMBER>.jpg, no official split; SFHQ_T2I_dataset.csv",
        counts={(None, "fake"): 122_726},
        image_size_px=1_024,
        kind="diffusion",
        licence="see the dataset's page",
        citation="Beniaguev: Synthetic Faces High Quality, Text 2 Image (SFHQ-T2I), Kaggle",
        prepare=fetch_kaggle,
        generators={"FLUX": "flux_1", "SDXL": "stable_diffusion_xl", "(?i)dall": "dalle_3"},
        unchecked=_AS_PUBLIC_CODE_HAS_IT,
        only="fake",
    ),
    Dataset(
        key="deepfakeface",
        title="Hugging Face: IMDB-WIKI against Stable Diffusion 1.5, inpainting and InsightFace",
        source="OpenRL/DeepFakeFace",
        url="https://huggingface.co/datasets/OpenRL/DeepFakeFace",
        layout="{wiki,text2img,inpainting,insight}.zip, no official split; here real/ and fake/",
        counts={(None, "real"): 30_000, (None, "fake"): 90_000},
        image_size_px=0,
        kind="diffusion and swap",
        licence="see the dataset's page",
        citation="Song et al. 2023, DeepFakeFace, arXiv:2309.02218",
        prepare=fetch_hugging_face,
        archives={
            "wiki.zip": "real",
            "text2img.zip": "fake/text2img",
            "inpainting.zip": "fake/inpainting",
            "insight.zip": "fake/insight",
        },
        generators={
            "^fake/text2img/": "stable_diffusion_1_5",
            "^fake/inpainting/": "stable_diffusion_inpainting",
            "^fake/insight/": "inswapper",
        },
        unchecked=_AS_PUBLIC_CODE_HAS_IT,
    ),
    Dataset(
        key="human_faces",
        title="Kaggle: portraits against faces of generators that nobody states, a test set",
        source="kaustubhdhote/human-faces-dataset",
        url="https://www.kaggle.com/datasets/kaustubhdhote/human-faces-dataset",
        layout="Human Faces Dataset/{Real Images,AI-Generated Images}, no official split",
        counts={(None, "real"): 5_000, (None, "fake"): 4_630},
        image_size_px=0,
        kind="not stated",
        licence="see the dataset's page",
        citation="Kaustubh Dhote: Human Faces Dataset, Kaggle",
        prepare=fetch_kaggle,
        unchecked=_AS_PUBLIC_CODE_HAS_IT,
    ),
)


def dataset_named(key: str) -> Dataset:
    """Return the row of `DATASETS` with this key."""
    for row in DATASETS:
        if row.key == key:
            return row
    raise unknown_name("dataset", key, [row.key for row in DATASETS])
