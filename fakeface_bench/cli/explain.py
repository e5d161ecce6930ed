"""`fakeface-bench explain`: what a trained model looked at in pictures."""

from pathlib import Path

import click

from fakeface_bench.cli.model_options import allow_unsafe_flag
from fakeface_bench.errors import SOME_UNREADABLE


@click.command(context_settings={"show_default": True})
@click.argument("model")
@click.argument("paths", nargs=-1, required=True)
@click.option("--output", default="explanation", help="Folder to write the pictures to.")
@allow_unsafe_flag
@click.pass_context
def explain(
    context: click.Context,
    /,
    model: str,
    paths: tuple[str, ...],
    output: str,
    allow_unsafe_model: bool,
) -> None:
    """Draw each of PATHS beside what in it spoke to MODEL for real or for fake.

    MODEL and PATHS are as in 'predict'. The folder gets a picture a file, and evidence.csv. The
    exit code is 3 where files could not be read.
    """
    # TensorFlow takes seconds to import, so a wrong request is told before.
    from fakeface_bench.cli.console import ConsoleProgress
    from fakeface_bench.data.named_files import named_files
    from fakeface_bench.request import check_explain
    from fakeface_bench.tracking.model_address import model_folder

    model_folder(model)
    check_explain(output)
    files = named_files(paths)
    progress = ConsoleProgress()
    from fakeface_bench.tracking.model_source import fetched_model

    with fetched_model(model, allow_unsafe_model) as folder:
        from fakeface_bench.runtime import start_tensorflow

        start_tensorflow()
        from fakeface_bench.explain import explain_files
        from fakeface_bench.predict import load_classifier

        target = Path(output).expanduser()
        classifier = load_classifier(folder, safe=not allow_unsafe_model)
        unreadable = explain_files(classifier, model, files, target, progress)
    context.exit(SOME_UNREADABLE if unreadable else 0)
