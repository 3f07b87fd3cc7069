"""A module imports only what lies above it in the flow, and nothing heavy when it is loaded."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# In the order of the data flow; a module may import those before it. `cli` may import all.
ORDER = [
    "spotter.startup",
    "spotter.stderr",
    "spotter.arrays",
    "spotter.errors",
    "spotter.extras",
    "spotter.settings",
    "spotter.events",
    "spotter.clock",
    "spotter.sources",
    "spotter.ring",
    "spotter.resample",
    "spotter.frontend",
    "spotter.windows",
    "spotter.tflite_schema",
    "spotter.tflite",
    "spotter.tflite_write",
    "spotter.stream_graph",
    "spotter.numpy_ops",
    "spotter.numpy_network",
    "spotter.litert",
    "spotter.network",
    "spotter.stream_form",
    "spotter.backbone",
    "spotter.scorers",
    "spotter.manifest",
    "spotter.model_folders",
    "spotter.tflite_engine",
    "spotter.head",
    "spotter.voice",
    "spotter.words_engine",
    "spotter.pair_engine",
    "spotter.model",
    "spotter.span",
    "spotter.decoder",
    "spotter.explain",
    "spotter.explainer",
    "spotter.health",
    "spotter.tape",
    "spotter.judge",
    "spotter.pipeline",
    "spotter.streams",
    "spotter.recorded",
    "spotter.pouring",
    "spotter.callbacks",
    "spotter.event_queue",
    "spotter.overload",
    "spotter.reopening",
    "spotter.running",
    "spotter.clip_files",
    "spotter.saving",
    "spotter.user_settings",
    "spotter.wav_writer",
    "spotter.record",
    "spotter.record_on",
    "spotter.heartbeat",
    "spotter.take",
    "spotter.examination",
    "spotter.checkup",
    "spotter.aio",
    "spotter.listener",
    "spotter.page",
    "spotter.exec_command",
    "spotter.mqtt",
    "spotter.scan",
    "spotter.serving",
    "spotter.ovos",
    "spotter.cli",
]
SHELLS = {
    "spotter",
    "spotter.listen",
    "spotter.doctor",
    "spotter.serve",
    "spotter.__main__",
    "spotter.page.__main__",
    "spotter.scan.__main__",
}  # the names; three lines that call `cli`
ONLY_WHEN_USED = {"sounddevice", "soundfile", "soxr", "rich", "ai_edge_litert", "flatbuffers"}
ONLY_WHEN_USED |= {"paho", "joblib", "dask", "distributed", "pyarrow", "sqlite3", "wyoming", "zeroconf"}
NEVER_IN_SPOTTER = {"tensorflow", "keras", "scipy", "matplotlib", "train"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def layer_of(name: str) -> int | None:
    """The place of a module, or of the package that it is in, in the order."""
    while name:
        if name in ORDER:
            return ORDER.index(name)
        name = name.rpartition(".")[0]
    return None


def imports(path: Path, *, at_load_only: bool) -> Iterator[str]:
    """Full names of what a file imports; with `at_load_only` without those inside functions and for types."""
    tree = ast.parse(path.read_text("utf-8"))
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path.name} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if not (at_load_only and (for_types or inside)):
            waiting.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize("path", modules("spotter"), ids=name_of)
def test_a_module_of_the_listener_imports_only_what_lies_above_it(path: Path) -> None:
    name = name_of(path)
    if name in SHELLS:
        return
    here = layer_of(name)
    assert here is not None, f"{name} has no place in the flow: add it to ORDER"
    for wanted in imports(path, at_load_only=False):
        if wanted.startswith("spotter."):
            there = layer_of(wanted)
            if there is None:  # `from spotter import x`
                there = layer_of(f"spotter.{wanted.split('.')[1]}")
            if there is not None:
                assert there <= here, f"{name} imports {wanted}, which lies below it"


@pytest.mark.parametrize("path", modules("spotter"), ids=name_of)
def test_the_listener_loads_nothing_heavy_unless_it_is_used(path: Path) -> None:
    never = NEVER_IN_SPOTTER - {"matplotlib"} if path.name == "explain_picture.py" else NEVER_IN_SPOTTER
    assert not {n.split(".")[0] for n in imports(path, at_load_only=False)} & never
    if path.name != "terminal.py":  # draws with rich and is itself loaded only at a terminal
        assert not {n.split(".")[0] for n in imports(path, at_load_only=True)} & (ONLY_WHEN_USED | {"matplotlib"})


def test_every_module_of_the_order_exists() -> None:
    names = {name_of(p) for p in modules("spotter")}
    assert set(ORDER) <= names | {n.rpartition(".")[0] for n in names}
