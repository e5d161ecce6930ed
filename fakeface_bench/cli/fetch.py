"""`fakeface-bench fetch`: a dataset onto this machine, without a study."""

import click


@click.command()
@click.argument("data")
def fetch(data: str) -> None:
    """Fetch or draw DATA, a dataset by name or several joined with '+', and print its folder.

    What is already there is not fetched again.
    """
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.data.catalogue import dataset_named
    from fakeface_bench.data.sources import split_data

    progress = ConsoleProgress()
    rows = [dataset_named(key) for key in split_data(data)]  # a wrong name is told before a fetch
    for row in rows:
        click.echo(row.prepare(row, progress))
    progress.say(f"Study it: fakeface-bench run --data {data}")
