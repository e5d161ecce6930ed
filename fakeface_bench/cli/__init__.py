"""The commands: each parses, calls the library, and leaves errors to `__main__`."""

import click

from fakeface_bench import __version__
from fakeface_bench.cli import commands


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="fakeface-bench")
def cli() -> None:
    """Which network should spot generated faces, and what does it cost to train?"""


for each in vars(commands).values():
    if isinstance(each, click.Command):
        cli.add_command(each)
