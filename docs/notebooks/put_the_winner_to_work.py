# %% [markdown]
# # Put the winner to work
#
# From finished studies to a registered model that takes raw pictures: choose by rule, pass the
# gate, predict, look at what it looks at, and see what compression leaves of it.
#
# **What it takes:** as it is, three minutes on a laptop with 2 cores; a GPU changes little, for the
# frozen network sees a few hundred pictures.

# %%
import matplotlib.pyplot as plt
import mlflow
import pandas as pd
from PIL import Image

import fakeface_bench as fb

WEIGHTS, TRIALS, LIMIT = "random", 5, 300

# %% [markdown]
# ## Two studies, and the cheaper one that is good enough

# %%
usual = {"data": "synthetic", "limit": LIMIT, "trials": TRIALS}
residual = fb.run_study(model="residual", **usual)
network = fb.run_study(model="mobilenetv3_small", weights=WEIGHTS, **usual)
comparison = fb.compare(runs=[residual.run_id, network.run_id], output="")
comparison

# %%
winner = max((residual, network), key=lambda study: study.metrics.loc["roc_auc", "test"])
winner.metrics.round(3)

# %% [markdown]
# ## Register it
#
# A version becomes the champion if it passes a gate: loaded in a new process it gives the scores
# that its study logged, and it is shown to beat what was there.

# %%
version = fb.register(run=winner.run_id, name="fakeface")
print(version.address, "is the champion" if version.is_champion else "is not the champion")
print(*version.lines, sep="\n")

# %% [markdown]
# ## Ask it
#
# By its address, from any process that reaches the same MLflow: files, folders, arrays, PIL images.

# %%
detector = fb.load_detector("models:/fakeface@champion" if version.is_champion else version.address)
test = winner.predictions
files = fb.load_index("synthetic", limit=LIMIT).set_index("path").loc[test["path"], "file"]
verdicts = detector.predict(list(files[:40]))
verdicts.drop(columns="path").head()

# %%
truth = test["y_true"][:40].map({0: "real", 1: "fake"}).to_numpy()
pd.crosstab(truth, verdicts["label"], rownames=["truth"], colnames=["predicted"])

# %%
picture = Image.open(files.iloc[0])
detector.predict([picture, picture.resize((512, 512)), picture.convert("L").convert("RGB")])

# %% [markdown]
# ## What does it look at?
#
# Each picture beside what in it spoke for real (blue) or fake (vermillion), here to the network.
# What residual statistics said, which are of the whole picture, is spread over it.

# %%
chosen = files.loc[test.groupby("y_true").head(1)["path"]]
evidence = fb.explain(model=network.run_id, paths=list(chosen), output="evidence")
figure, axes = plt.subplots(1, len(evidence), figsize=(11, 4))
for axis, row in zip(axes, evidence.itertuples(), strict=True):
    axis.imshow(Image.open(f"evidence/{row.picture}"))
    axis.axis("off")

# %% [markdown]
# ## What do compression and scaling leave of it?

# %%
robustness = fb.robustness(models=winner.run_id, limit=60, output="")
robustness.means.set_index("corruption")[["roc_auc", "roc_auc_low_95", "roc_auc_high_95"]].round(3)

# %% [markdown]
# ## Serve it
#
# `mlflow models serve -m models:/fakeface@champion --env-manager local -p 5001` answers over HTTP.
# In Python the same model is one of MLflow's own:

# %%
served = mlflow.pyfunc.load_model(version.address)
with open(files.iloc[0], "rb") as file:
    answer = served.predict(pd.DataFrame({"image": [file.read()]}))
answer.T
