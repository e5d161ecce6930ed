# %% [markdown]
# # Bring your own network, and watch its trials
#
# A `keras.Model` that returns features of a picture is a network like any other: it runs frozen,
# once for a whole search, and only heads are trained on what it gives.
#
# **What it takes:** as it is, two minutes on a laptop with 2 cores; with a GPU most of that is the
# start of TensorFlow. With a network and pictures of yours: one pass over the pictures, and then
# as long as any other search of heads, some seconds to a minute for 20 trials.

# %%
import keras
import mlflow

import fakeface_bench as fb

TRIALS, LIMIT = 8, 250

# %% [markdown]
# ## A network
#
# Here a small one with random weights; yours comes from `keras.applications`,
# `keras.models.load_model` or your own training. A rescaling at its beginning tells what range its
# pixels have.

# %%
keras.utils.set_random_seed(1)
picture = keras.Input((96, 96, 3))
layers = keras.layers.Rescaling(1 / 127.5, offset=-1)(picture)
for width in (16, 32, 64):
    layers = keras.layers.Conv2D(width, 3, strides=2, padding="same", activation="relu")(layers)
network = keras.Model(picture, layers, name="three_convolutions")
network.count_params()

# %% [markdown]
# ## Its study
#
# Callbacks hear of trials and epochs, and may stop a trial (`StopTrial`) or the search
# (`StopSearch`).


# %%
class Watch(fb.Callback):
    def on_trial_end(self, number, trial):
        print(f"trial {number}: {trial['state']}, {trial['value']:.4f}, {trial['seconds']:.1f} s")
        if trial["value"] > 0.99:
            raise fb.StopSearch


study = fb.run_study(
    model=network, data="synthetic", limit=LIMIT, trials=TRIALS, callbacks=[Watch()]
)
study

# %%
study.trials.head()

# %%
study.plot("search")

# %% [markdown]
# Asked again with more trials, only what is new runs; what the network gave is kept.

# %%
more = fb.run_study(model=network, data="synthetic", limit=LIMIT, trials=TRIALS + 4)
more.costs

# %% [markdown]
# ## Is it any good?
#
# Beside a frozen MobileNetV3-Small, also of random weights, on the same test pictures:

# %%
usual = {"data": "synthetic", "limit": LIMIT, "trials": TRIALS + 4, "image_size": 96}
other = fb.run_study(model="mobilenetv3_small", weights="random", **usual)
comparison = fb.compare(runs=[more.run_id, other.run_id], output="")
comparison

# %%
comparison.leaderboard.set_index("label")[
    ["roc_auc", "roc_auc_low_95", "roc_auc_high_95", "total_cold_seconds"]
].round(3)

# %% [markdown]
# ## A part of your own experiment
#
# Inside an active run a study is its child, and what you log stands beside it.

# %%
with mlflow.start_run(run_name="my experiment"):
    mlflow.log_param("idea", "three convolutions")
    again = fb.run_study(model=network, data="synthetic", limit=LIMIT, trials=2, seed=1)
    mlflow.log_metric("mine", again.metrics.loc["roc_auc", "test"])
print("a child of", mlflow.get_parent_run(again.run_id).info.run_name)
