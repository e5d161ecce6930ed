"""The commands: each parses, calls the library, and leaves errors to `__main__`."""

import click

from fakeface_bench import __version__
from fakeface_bench.cli.commands import (
    audit,
    compare,
    datasets,
    evaluate,
    explain,
    fetch,
    generalise,
    list_tables,
    predict,
    register,
    robustness,
    run,
    suite,
    sync,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="fakeface-bench")
def cli() -> None:
    """Which network should spot generated faces, and what does it cost to train?"""


cli.add_command(run)
cli.add_command(suite)
cli.add_command(compare)
cli.add_command(register)
cli.add_command(predict)
cli.add_command(explain)
cli.add_command(evaluate)
cli.add_command(generalise)
cli.add_command(robustness)
cli.add_command(sync)
cli.add_command(audit)
cli.add_command(list_tables)
cli.add_command(datasets)
cli.add_command(fetch)
