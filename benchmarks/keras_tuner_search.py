"""What a user of KerasTuner writes for the same question: `versus_keras_tuner.py` runs it.

    python keras_tuner_search.py FACES MODEL WEIGHTS TRIALS EPOCHS FOLDER

FACES holds train/, valid/ and test/ with a folder a class; WEIGHTS is a file of the backbone
without its top, or "none". It needs keras-tuner and tensorflow alone, and prints a line of JSON.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

SIZE = 224
NETWORKS = {
    "mobilenetv3_small": (keras.applications.MobileNetV3Small, lambda x: x),
    "vgg16": (keras.applications.VGG16, keras.applications.vgg16.preprocess_input),
}
LOSSES = {
    "binary_crossentropy": lambda: keras.losses.BinaryCrossentropy(from_logits=True),
    "smoothed": lambda: keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
    "focal": lambda: keras.losses.BinaryFocalCrossentropy(from_logits=True),
    "hinge": lambda: keras.losses.Hinge(),
}


def read(folder: Path, shuffle: bool) -> tf.data.Dataset:
    images = keras.utils.image_dataset_from_directory(
        folder, label_mode="binary", image_size=(SIZE, SIZE), batch_size=64, shuffle=shuffle, seed=0
    )
    return images.cache().prefetch(tf.data.AUTOTUNE)


def main(faces: Path, model: str, weights: str, trials: int, epochs: int, folder: Path) -> None:
    import keras_tuner  # not there where the other benchmarks run

    keras.utils.set_random_seed(0)
    network, preprocess = NETWORKS[model]
    train, valid = read(faces / "train", True), read(faces / "valid", False)

    def build(hp: Any) -> keras.Model:
        backbone = network(
            include_top=False,
            weights=None if weights == "none" else weights,
            input_shape=(SIZE, SIZE, 3),
        )
        backbone.trainable = False
        pixels = keras.Input((SIZE, SIZE, 3))
        x = backbone(preprocess(pixels), training=False)
        pooling = hp.Choice("pooling", ["avg", "max"])
        pool = {"avg": keras.layers.GlobalAveragePooling2D, "max": keras.layers.GlobalMaxPooling2D}
        x = pool[pooling]()(x)
        units = hp.Choice("units", [0, 64, 128, 256, 512])
        if units:
            x = keras.layers.Dense(units)(x)
        if hp.Boolean("batch_norm"):
            x = keras.layers.BatchNormalization()(x)
        if units:
            x = keras.layers.Activation(hp.Choice("activation", ["relu", "swish", "tanh"]))(x)
        x = keras.layers.Dropout(hp.Float("dropout", 0.0, 0.6))(x)
        classifier = keras.Model(pixels, keras.layers.Dense(1)(x))
        classifier.compile(
            keras.optimizers.AdamW(
                hp.Float("learning_rate", 1e-4, 1e-2, sampling="log"),
                weight_decay=hp.Float("weight_decay", 1e-5, 1e-1, sampling="log"),
            ),
            LOSSES[hp.Choice("loss", list(LOSSES))](),
            metrics=[keras.metrics.AUC(from_logits=True, name="auc")],
        )
        return classifier

    tuner = keras_tuner.BayesianOptimization(
        build,
        objective=keras_tuner.Objective("val_auc", "max"),
        max_trials=trials,
        seed=0,
        directory=folder,
        project_name="search",
    )
    began = time.perf_counter()
    tuner.search(train, validation_data=valid, epochs=epochs, verbose=0)
    seconds = time.perf_counter() - began
    best = tuner.get_best_models(1)[0]
    auc = best.evaluate(read(faces / "test", False), verbose=0, return_dict=True)["auc"]
    print(json.dumps({"search_seconds": seconds, "test_roc_auc": auc}), flush=True)


if __name__ == "__main__":
    faces, model, weights, trials, epochs, folder = sys.argv[1:]
    main(Path(faces), model, weights, int(trials), int(epochs), Path(folder))
