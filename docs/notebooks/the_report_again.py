# %% [markdown]
# # Which network spots generated faces? A student's report, again
#
# Two small networks trained from scratch, a frozen MobileNetV3-Small under a new head, and VGG16
# whose last block is trained too: which is right most often, and what does each cost? What does the
# winner say of single pictures, what is it worth on faces of another source, and does mixing help?
#
# Everything here runs on drawn faces and random weights, so nothing is downloaded; the figures say
# nothing about photographs. For those, set `FACES` to `"140k"` or a folder of yours and `WEIGHTS`
# to `"imagenet"`, and raise `SIZE`, `LIMIT`, `TRIALS` and `EPOCHS`.
#
# **What it takes:** as it is, some four minutes on a laptop with 2 cores. With 140,000 pictures,
# 224 pixels and 20 trials, a frozen network is an hour's work for a GPU, each of the others some
# hours'; a laptop needs a night for the first and days for the rest.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from PIL import Image

import fakeface_bench as fb

FACES, WEIGHTS = "synthetic", "random"
SIZE, LIMIT, TRIALS, EPOCHS = 64, 100, 1, 5

# %% [markdown]
# ## The faces
#
# `load_index` audits a dataset as a study does: copies are left out; what has no split gets one.

# %%
index = fb.load_index(FACES)
index.groupby(["split", "label"]).size().unstack().rename(columns={0: "real", 1: "fake"})

# %% [markdown]
# Half of them are the first dataset. The other half waits: it becomes a dataset of another source.


# %%
def table_of(rows):
    return rows.assign(path=rows["file"])[["path", "label", "split"]].reset_index(drop=True)


ours, others = index.iloc[::2], index.iloc[1::2]
first = table_of(ours)
first.groupby(["split", "label"]).size()

# %% [markdown]
# ## Four networks
#
# Each study searches what the network leaves open, scores the test pictures once, and is found
# again when the same is asked again. `fine_tune` says what is trained under the head.

# %%
usual = {"data": first, "limit": LIMIT, "image_size": SIZE, "trials": TRIALS, "epochs": EPOCHS}
trained = usual | {"precision": "float32"}  # or what is fastest here is measured first
studies = [
    fb.run_study(model="simple_cnn", **trained),
    fb.run_study(model="simple_cnn_pool", **trained),
]

# %%
studies.append(fb.run_study(model="mobilenetv3_small", weights=WEIGHTS, **usual))
studies[-1]

# %%
vgg = fb.run_study(model="vgg16", weights=WEIGHTS, fine_tune="last_block", **trained)
studies.append(vgg)
vgg

# %% [markdown]
# All curves in one plot: validation accuracy by epoch, and by the seconds that it took.

# %%
figure, (by_epoch, by_time) = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
for study in studies:
    epochs = study.history
    seconds = epochs["seconds"].cumsum()
    by_epoch.plot(range(1, len(epochs) + 1), epochs["val_accuracy"], marker="o", label=study.name)
    by_time.plot(seconds, epochs["val_accuracy"], marker="o")
by_epoch.set(xlabel="Epoch", ylabel="Validation accuracy")
by_time.set(xlabel="Seconds of training", xscale="log")
figure.legend(*by_epoch.get_legend_handles_labels(), loc="lower center", ncols=2, frameon=False)
figure.tight_layout(rect=(0, 0.14, 1, 1))

# %% [markdown]
# ## Which one, at what cost?
#
# `compare` puts them side by side on the same test pictures. A step up is *shown* where the paired
# 95 % interval of the difference lies above 0; with so few pictures it seldom does.

# %%
comparison = fb.compare(runs=[study.run_id for study in studies], output="")
comparison

# %%
best = max(studies, key=lambda study: study.metrics.loc["roc_auc", "test"])
best.plot("confusion_matrix")

# %% [markdown]
# ## Pictures that we know
#
# The detector takes files of any size and format; decoding, calibration and threshold are inside.

# %%
known = ours[ours["split"] == "test"].groupby("label").head(3)
verdicts = best.detector.predict(list(known["file"]))
figure, axes = plt.subplots(1, len(known), figsize=(12, 2.6))
for axis, file, label, verdict in zip(
    axes, known["file"], known["label"], verdicts.itertuples(), strict=True
):
    axis.imshow(Image.open(file))
    truth = "fake" if label else "real"
    axis.set_title(f"{truth}: {verdict.label}, {verdict.probability_fake:.2f}", fontsize=9)
    axis.axis("off")

# %% [markdown]
# ## Another dataset
#
# A second source of fakes: real faces of the other half, scaled down and up again. None of these
# pictures was in the first dataset, and all are saved alike.

# %%
folder = Path("rescaled")
folder.mkdir(exist_ok=True)
rows = []
for number, row in enumerate(others[others["label"] == 0].itertuples()):
    face = Image.open(row.file)
    if number % 2:
        small = face.resize((face.width // 2, face.height // 2), Image.Resampling.BILINEAR)
        face = small.resize(face.size, Image.Resampling.BICUBIC)
    target = folder / f"{row.split}-{Path(row.file).name}"
    face.save(target, quality=92)
    rows.append({"path": target.absolute(), "label": number % 2, "split": row.split})
second = pd.DataFrame(rows)
second.groupby(["split", "label"]).size()

# %% [markdown]
# `generalise` trains on each set and on both, and tests on each. What a study has not trained on is
# as new to it as next year's fakes.

# %%
sets = [first.assign(source="first"), second.assign(source="second")]
matrix = fb.generalise(
    models="mobilenetv3_small",
    weights=WEIGHTS,
    train=[*sets, sets],
    test=sets,
    output="",
    **{key: value for key, value in usual.items() if key != "data"},
)
matrix.heat_map.round(3)

# %% [markdown]
# ROC AUC, 0.5 for guessing: along a row stands what a model is worth at home and elsewhere, in the
# row of both what mixing is worth. Behind every figure are few test pictures; `matrix.table` has
# their intervals.
