"""Draws the rooms of the package, and who uses whom, into architecture.md: from the code itself.

    python docs/rooms.py

An arrow leads from a room to one that it imports; what is also reached by way of another is left
out, so the drawing is the smallest that holds every dependency.
"""

import ast
from collections.abc import Mapping
from pathlib import Path

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "fakeface_bench"
PAGE = DOCS / "architecture.md"
BEGIN, END = "<!-- rooms: drawn by docs/rooms.py -->\n", "<!-- end of rooms -->"

Arrows = Mapping[str, set[str]]


def room_of(module: str) -> str:
    """Return the room of a module, by its path within the package, without the package's name."""
    return module.split(".")[0]


def arrows() -> dict[str, set[str]]:
    """Return which rooms each room imports."""
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".")
        if name in ("__init__", "__main__"):
            continue
        room = room_of(name)
        used = found.setdefault(room, set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                "fakeface_bench."
            ):
                used.add(room_of(str(node.module).removeprefix("fakeface_bench.")))
        used.discard(room)
    return found


def reduced(graph: Arrows) -> dict[str, set[str]]:
    """Leave out arrows to rooms that another arrow leads to; the graph has no circle."""

    def reach(room: str) -> set[str]:
        return graph[room].union(*(reach(other) for other in graph[room]))

    return {
        room: {other for other in used if not any(other in reach(via) for via in used - {other})}
        for room, used in graph.items()
    }


def drawing() -> str:
    """Return the drawing in Mermaid, which GitHub shows as a picture."""
    lines = ["```mermaid", "flowchart TD"]
    for room, used in reduced(arrows()).items():
        lines += [f"    {room} --> {other}" for other in sorted(used)]
    return "\n".join([*lines, "```", ""])


def renewed(page: str) -> str:
    """Return the page with the drawing as it is now."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}{drawing()}{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
