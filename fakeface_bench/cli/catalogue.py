"""`fakeface-bench list`: every table that a study can draw from."""

import click


@click.command("list")
def list_tables() -> None:
    """List architectures, datasets, losses, poolings and metrics."""
    from rich.console import Console
    from rich.table import Table

    from fakeface_bench.architectures.catalogue import ARCHITECTURES
    from fakeface_bench.data.augmentations import AUGMENTATIONS
    from fakeface_bench.data.catalogue import DATASETS
    from fakeface_bench.evaluation.metrics import METRICS
    from fakeface_bench.models.poolings import ACTIVATIONS, FEATURES, POOLINGS
    from fakeface_bench.training.losses import LOSSES

    console = Console()
    table = Table(
        "architecture", "parameters", "MMACs", "image size", "blocks", "weights", title="model"
    )
    table.columns[0].no_wrap = True
    for row in ARCHITECTURES:
        table.add_row(
            "\n= ".join((row.key, *row.aliases)),
            f"{row.parameters:,}",
            f"{row.mmacs:,}",
            f"{row.image_size} px",
            str(len(row.frozen_ends) + 1) if row.pretrained else "",
            "ImageNet" if row.pretrained else "scratch",
        )
    console.print(table)
    console.print("Without the head; MMACs: million multiply-accumulates per image;")
    console.print("blocks: those that fine_tune counts; scratch: all of it is trained.\n")
    for title, rows in (
        ("data", {row.key: f"{row.title} ({row.images:,} images)" for row in DATASETS}),
        ("loss", {key: loss.title for key, loss in LOSSES.items()}),
        ("features", FEATURES),
        ("pooling", {key: pooling.title for key, pooling in POOLINGS.items()}),
        ("activation", ACTIVATIONS),
        ("augment", {key: row.title for key, row in AUGMENTATIONS.items()}),
        ("metric", {key: metric.title for key, metric in METRICS.items()}),
    ):
        table = Table(title, "", show_header=True)
        for key, text in rows.items():
            table.add_row(key, text)
        console.print(table)
