"""The order of the layers, who may import what, and how large anything may get."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import fakeface_bench

PACKAGE = Path(fakeface_bench.__file__).parent
NAME = PACKAGE.name

#: Highest first; a module imports its own room and those below it.
LAYERS = (
    ("cli", "__main__"),
    ("api",),
    ("jobs",),
    ("study",),
    ("resolve",),
    ("tracking",),
    ("report",),
    ("analysis",),
    ("serving",),
    ("search",),
    ("explanation",),
    ("evaluation",),
    ("training",),
    ("features",),
    ("backbones",),
    ("data",),
    ("records",),
    ("config",),
    ("support", "__init__"),
)
#: Who may import a heavy library: a room, or one module of it.
HEAVY = {
    "mlflow": {"tracking"},
    "optuna": {"search"},
    "sqlalchemy": {"search"},
    "sklearn": {"evaluation"},
    "threadpoolctl": {"evaluation", "training.logistic_regression", "support.machine"},
    "scipy": {
        "explanation",
        "features.external",
        "evaluation",
        "data.selection",
        "data.corruptions",
        "data.twins",
        "features.quick_residuals",
        "training.logistic_regression",
    },
    "imagehash": {"data.facts"},
    "jinja2": {"report.page"},
    "matplotlib": {"api.results", "report"},
    "plotly": {"report.comparison_plots"},
    "keras": {
        "api.inputs",
        "serving",
        "explanation",
        "evaluation",
        "training",
        "features",
        "backbones",
        "support.machine",
        "support.backend",
    },
    "tensorflow": {
        "explanation",
        "features",
        "training.head_fit",
        "backbones.onnx_network",
        "data.pictures",
        "support.machine",
        "support.backend",
    },
    "onnxruntime": {"features.engines", "backbones.onnx_network", "backbones.file_facts"},
    "tf2onnx": {"features.onnx_export"},
    "codecarbon": {"support.machine"},
    "ray": {"support.cluster", "support.ray_session", "support.ray_worker"},
    "h5py": {"backbones.weights", "backbones.file_facts"},
    "huggingface_hub": {"data.hugging_face"},
    "kagglehub": {"data.kaggle"},
    "requests": {"data.kaggle", "tracking.outbox"},
    "click": {"cli", "__main__"},
    "rich": {"cli", "api.progress"},
    "PIL": {
        "api.detector",
        "data",
        "features.quick_residuals",
        "report",
        "serving",
        "tracking.model",
    },
    "pandas": {
        "api",
        "jobs",
        "study",
        "tracking",
        "report",
        "analysis",
        "evaluation",
        "features",
        "data",
    },
}
#: Where TensorFlow, what imports it, kagglehub and rich may be imported inside a function, to keep
#: starting quick.
LAZY = {
    "__main__",
    "api.callbacks",
    "api.detector",
    "api.functions",
    "api.guest",
    "api.inputs",
    "api.requests",
    "cli",
    "support.machine",
    "support.backend",
    "features.engines",
    "support.workers",
    "training.losses",
    "backbones.catalogue",
    "backbones.weights",
    # ONNX, which only users' own networks need
    "backbones.file_facts",
    "backbones.onnx_part",
    # keras-hub, which only its own networks need
    "backbones.foundation",
    "backbones.presets",
    "serving.classifier",
    # Ray, which only clusters need
    "data.hugging_face",
    "data.kaggle",
    "jobs.compare",
    "jobs.verify",
}
#: Modules at the package's root: what is asked, what it comes to, and what needs no room.
ROOT = {"__init__", "__main__", "config", "resolve"}

#: What is used of other libraries that they do not offer, and why nothing public does instead.
PRIVATE = {
    # kagglehub unpacks unchecked and its client waits for ever: data/kaggle.py says what was tried.
    ("data.kaggle", "_extract_archive"),
    ("data.kaggle", "_session"),
    # keras-hub's public names do not hold single layers.
    ("backbones.hub_layers", "keras_hub.src.models.siglip.siglip_layers"),
    ("backbones.hub_layers", "keras_hub.src.models.vit.vit_layers"),
    # Of names of gradients TensorFlow takes none back; it has no public way to freeze variables.
    ("features.engine", "_registry"),
    ("features.engine", "tensorflow.python.framework.convert_to_constants"),
    ("features.engine", "tensorflow.python.framework.ops"),
    # What IPython's documentation tells objects to offer.
    ("api.results", "_repr_png_"),
    # Ends the process at once, as Python's documentation says.
    ("support.processes", "_exit"),
}

MAX_MODULE_LINES = 700
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 7
#: Below this a module is a closet, unless several others need it.
CLOSET_LINES = 60

#: What the package itself holds.
ITS_OWN = {f"{NAME}.__version__", f"{NAME}.PROCESS_BEGAN"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
MODULES = sorted(
    path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
)


def source(module: str) -> str:
    path = PACKAGE / module.replace(".", "/")
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(source(module))


def imported(node: ast.AST) -> Iterator[str]:
    """Yield the full names that an import statement names, `from a import b` as `a.b`."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def all_imports(module: str) -> tuple[str, ...]:
    return tuple(name for node in ast.walk(tree(module)) for name in imported(node))


@cache
def own_imports(module: str) -> frozenset[str]:
    """Return what a module imports of the package, without the package's name."""
    return frozenset(
        name.removeprefix(f"{NAME}.")
        for name in all_imports(module)
        if name.startswith(f"{NAME}.") and name not in ITS_OWN
    )


def functions(module: str) -> Iterator[Function]:
    for node in ast.walk(tree(module)):
        if isinstance(node, Function):
            yield node


def private_names(module: str) -> Iterator[str]:
    """Yield what a module uses of others' private names; its own classes' are not among them."""
    own = {n.name for n in ast.walk(tree(module)) if isinstance(n, Function)}
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) not in ("self", "cls"):
            names = [node.attr]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "setattr"):
            names = [n.value for n in node.args[1:2] if isinstance(n, ast.Constant)]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [alias.name for alias in node.names]
            parts = node.module.split(".")
            if parts[1:2] in (["python"], ["src"]) or any(is_private(part) for part in parts):
                yield node.module
        else:
            continue
        yield from (name for name in names if is_private(name) and name not in own)


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def layer_of(module: str) -> int:
    first = module.split(".")[0]
    return next(number for number, names in enumerate(LAYERS) if first in names)


def module_of(name: str) -> str:
    """Return the module that a name is one of, or is something in."""
    return name if name in MODULES else name.rpartition(".")[0]


def is_among(module: str, places: set[str]) -> bool:
    return any(module == place or module.startswith(f"{place}.") for place in places)


def test_every_module_has_its_layer() -> None:
    placed = {name for layer in LAYERS for name in layer}
    assert {module.split(".")[0] for module in MODULES} <= placed
    assert len(MODULES) > 40


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_its_own_and_lower_layers_only(module: str) -> None:
    upwards = {name for name in own_imports(module) if layer_of(name) < layer_of(module)}
    assert not upwards


def test_the_root_holds_only_what_needs_no_room() -> None:
    assert {path.stem for path in PACKAGE.glob("*.py")} <= ROOT


@pytest.mark.parametrize("module", MODULES)
def test_a_small_module_has_two_who_need_it(module: str) -> None:
    if (PACKAGE / module.replace(".", "/")).is_dir() or module in ROOT:
        return
    users = {other for other in MODULES if module in map(module_of, own_imports(other))}
    assert len(users) >= 2 or len(source(module).splitlines()) >= CLOSET_LINES, users


def test_no_two_modules_import_one_another() -> None:
    edges = {module: set(map(module_of, own_imports(module))) for module in MODULES}
    while leaves := [module for module, others in edges.items() if not others & edges.keys()]:
        for module in leaves:
            del edges[module]
    assert not edges, "these import one another in a circle"


@pytest.mark.parametrize("library", HEAVY)
def test_a_heavy_library_is_imported_only_where_it_belongs(library: str) -> None:
    importers = {
        module
        for module in MODULES
        if any(name.split(".")[0] == library for name in all_imports(module))
    }
    assert {module for module in importers if not is_among(module, HEAVY[library])} == set()


def test_of_other_libraries_only_what_they_offer_is_used() -> None:
    used = {(module, name) for module in MODULES for name in private_names(module)}
    assert used == PRIVATE


@pytest.mark.parametrize("module", MODULES)
def test_imports_inside_functions_are_those_that_keep_starting_quick(module: str) -> None:
    lazy = {
        name
        for function in functions(module)
        for node in ast.walk(function)
        for name in imported(node)
    }
    assert not lazy or is_among(module, LAZY)


@pytest.mark.parametrize("module", MODULES)
def test_no_import_is_relative(module: str) -> None:
    assert not [n for n in ast.walk(tree(module)) if isinstance(n, ast.ImportFrom) and n.level]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_opens_with_why_it_exists(module: str) -> None:
    first = (ast.get_docstring(tree(module)) or "").partition("\n")[0]
    assert first.endswith((".", "?"))


@pytest.mark.parametrize("module", MODULES)
def test_nothing_gets_too_large(module: str) -> None:
    assert len(source(module).splitlines()) <= MAX_MODULE_LINES
    for function in functions(module):
        lines = (function.end_lineno or 0) - function.lineno + 1
        assert lines <= MAX_FUNCTION_LINES, f"{function.name} has {lines} lines"
        given = function.args
        parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        count = len([p for p in parameters if p.arg not in ("self", "cls")])
        assert count <= MAX_PARAMETERS, f"{function.name} takes {count} parameters"


@pytest.mark.parametrize("module", MODULES)
def test_no_error_is_passed_over_in_silence(module: str) -> None:
    silent = [
        node.lineno
        for node in ast.walk(tree(module))
        if isinstance(node, ast.ExceptHandler)
        and all(isinstance(line, ast.Pass | ast.Continue) for line in node.body)
    ]
    bare = [
        node.lineno
        for node in ast.walk(tree(module))
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert silent + bare == []


def fresh(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own; at its end it prints the heavy libraries loaded."""
    ending = (
        "\nimport sys"
        "\nslow = 'tensorflow keras mlflow optuna sklearn torch jax kagglehub'"
        "\nfor name in slow.split():"
        "\n    if name in sys.modules: print('LOADED', name)"
    )
    return subprocess.run(
        [sys.executable, "-c", script + ending],
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def loaded(process: subprocess.CompletedProcess[str]) -> set[str]:
    lines = process.stdout.splitlines()
    return {line.removeprefix("LOADED ") for line in lines if line.startswith("LOADED ")}


def called(*arguments: str) -> str:
    """A script that calls the command line and goes on after it."""
    return (
        f"import sys; sys.argv = {['fakeface-bench', *arguments]!r}\n"
        "from fakeface_bench.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as end: print('EXIT', end.code)"
    )


@pytest.mark.parametrize(
    "module",
    [
        "cli",
        "__main__",
        "resolve",
        "records.study",
        "data.index",
    ],
)
def test_these_load_neither_tensorflow_nor_mlflow_nor_optuna(module: str) -> None:
    process = fresh(f"import {NAME}.{module}")
    assert process.returncode == 0, process.stderr
    assert loaded(process) == set()


def test_reading_a_report_needs_neither_tensorflow_nor_mlflow_nor_optuna() -> None:
    rooms = [name for name in MODULES if name.split(".")[0] in ("analysis", "report")]
    process = fresh("\n".join(f"import {NAME}.{name}" for name in rooms))
    assert process.returncode == 0, process.stderr
    assert loaded(process) <= {"sklearn"}  # its definitions of the metrics


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--help"], "Commands:"),
        (["run", "--help"], "--timeout-minutes"),
        (["--version"], "version"),
        (["list"], "mobilenetv3_large"),
        (["datasets"], "hardfakevsreal"),
    ],
)
def test_help_and_list_do_not_load_tensorflow(arguments: list[str], says: str) -> None:
    process = fresh(called(*arguments))
    assert "EXIT 0" in process.stdout or "EXIT None" in process.stdout, process.stderr
    assert says in process.stdout
    assert process.stderr == ""
    assert loaded(process) <= {"sklearn"}  # `list` shows the table of metrics


@pytest.mark.parametrize(
    ("name", "answer", "names"),
    [
        ("mobilenet-v3-smal", "did you mean ", "'mobilenetv3_small'"),
        ("nonsense", "there is ", "vgg19"),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest_or_all_before_tensorflow_is_loaded(
    name: str, answer: str, names: str
) -> None:
    process = fresh(called("run", "--model", name))
    assert "EXIT 2" in process.stdout
    assert process.stderr.startswith(f"Error: no architecture {name!r}; {answer}")
    assert names in process.stderr
    assert process.stderr.count("\n") == 1
    assert loaded(process) == set()
