"""`fakeface-bench predict`: what a trained model says of pictures."""

from shutil import get_terminal_size

import click

from fakeface_bench.cli.model_options import allow_unsafe_flag
from fakeface_bench.config import PREDICTION_FORMS, PredictConfig
from fakeface_bench.errors import SOME_UNREADABLE


@click.command(context_settings={"show_default": True})
@click.argument("model")
@click.argument("paths", nargs=-1, required=True)
@click.option(
    "--format",
    type=click.Choice(PREDICTION_FORMS),
    default=PREDICTION_FORMS[0],
    help="Aligned columns for the eye, or rows for programs.",
)
@click.option("--output", default="", help="File to write to; empty for standard output.")
@allow_unsafe_flag
@click.pass_context
def predict(context: click.Context, /, **options: object) -> None:
    """Call each of PATHS real or fake with MODEL.

    MODEL is a registry address (models:/fakeface@champion), the id of a study's run, or a folder.
    PATHS are files, folders with JPEG, PNG or WebP files below, or quoted patterns such as
    'faces/**/*.jpg'.

    Rows go to standard output, all else to standard error. The exit code is 3 where files could
    not be read; their rows say why.
    """
    # TensorFlow takes seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.cli.output_file import abandon_standard_output, rows_stream
    from fakeface_bench.cli.predictions import RowsAsProgress, row_writer
    from fakeface_bench.data.listing import printable
    from fakeface_bench.data.named_files import named_files
    from fakeface_bench.tracking.model_address import model_folder

    config = PredictConfig(**options)  # type: ignore[arg-type]  # click has checked each option
    model_folder(config.model)
    files = named_files(config.paths)
    progress = ConsoleProgress()
    try:
        with rows_stream(config.output) as stream:
            from fakeface_bench.tracking.model_source import fetched_model

            with fetched_model(config.model, config.allow_unsafe_model) as folder:
                from fakeface_bench.runtime import start_tensorflow

                start_tensorflow()
                from fakeface_bench.predict import run_prediction

                longest = max(len(printable(path)) for path in files)
                width = get_terminal_size().columns if stream.isatty() else 0
                write = row_writer(config.format, stream, longest, width)
                shown = RowsAsProgress() if stream.isatty() else progress
                counts = run_prediction(
                    folder, files, write, shown, safe=not config.allow_unsafe_model
                )
                stream.flush()
    except BrokenPipeError:  # `| head` has read enough
        if config.output:
            raise
        abandon_standard_output()
        return
    progress.say(counts.line)
    context.exit(SOME_UNREADABLE if counts.unreadable else 0)
