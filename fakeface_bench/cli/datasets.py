"""`fakeface-bench datasets`: what is known of each dataset, its terms first of all."""

import click


@click.command()
def datasets() -> None:
    """Describe each dataset: images, kind of fake, licence, source, layout, citation."""
    from rich.markup import escape
    from rich.table import Table

    from fakeface_bench.cli.console import result_console
    from fakeface_bench.data.catalogue import DATASETS

    console = result_console()
    table = Table("data", "images", "kind of fake", "size", "licence and terms", show_lines=True)
    for number, justify in enumerate(("left", "right", "left", "right", "left")):
        table.columns[number].justify = justify  # type: ignore[assignment]
    for row in DATASETS:
        table.add_row(
            f"[bold]{row.key}[/]",
            f"{row.images:,}",
            row.kind,
            f"{row.image_size_px} px",
            row.licence,
        )
    console.print(table)
    for row in DATASETS:
        facts = Table.grid(padding=(0, 1))
        facts.add_column(min_width=10)
        facts.add_column(overflow="fold")
        for name, text in (
            ("page", row.url),
            ("source", row.source),
            ("layout", row.layout),
            ("cite", row.citation),
        ):
            if text:
                facts.add_row(f"  {name}", escape(text))
        console.print(f"\n[bold]{row.key}[/]  {escape(row.title)}", highlight=False)
        console.print(facts, highlight=False)
    console.print("\n'fakeface-bench fetch DATA' puts one on this machine.", highlight=False)
