"""The rules of imports: rooms from left to right. Code is read, and never run."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# From left to right: a room imports only from rooms before its own, and from itself.
# Rooms of one group never import each other.
GROUPS = (
    ("human_pose.files", "wiberg_tf"),
    ("human_pose.geometry", "human_pose.media"),
    ("human_pose.datasets", "human_pose.exchange"),
    # What it holds is made of both; a room within another is a room of its own.
    ("human_pose.datasets.builders",),
    ("human_pose.runs",),
    ("human_pose.lifting", "human_pose.i1", "human_pose.calibrated"),
    ("human_pose.capture", "human_pose.pipeline"),
    ("human_pose.commands",),
    ("human_pose.main", "human_pose.Sample"),
)
# The toy stands beside the pose system and shares the shell and the files alone.
TOY_MAY_IMPORT = ("human_pose.commands.shell", "human_pose.files", "wiberg_tf")
# Names that nobody before the commands knows. `import absl` reaches them, too.
FLAGS = ("absl", "absl.flags")
# Arrays in, arrays out: what is arithmetic needs none of these.
NOT_FOR_ARITHMETIC = ("keras", "absl", "h5py", "matplotlib", "PIL", "tensorboard")
MOST_LINES = 350


def modules(root):
    """Every module of the packages, by name."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path
        for package in ("wiberg_tf", "ransac", "human_pose")
        for path in sorted((root / package).rglob("*.py"))
    }


@cache
def nodes(text):
    """Of a text that most tests read again: those that are looked at here."""
    looked_at = (ast.Import, ast.ImportFrom, ast.Constant)
    return [node for node in ast.walk(ast.parse(text)) if isinstance(node, looked_at)]


def imports(text, known):
    """The modules that a text imports, wherever the statement stands."""
    for node in nodes(text):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                whole = full in known or node.module == "absl"
                yield full if whole else node.module


def within(module, room):
    return module == room or module.startswith(f"{room}.")


def place(module):
    """The number of a module's group, and its room; None outside of all."""
    found = [
        (number, room)
        for number, group in enumerate(GROUPS)
        for room in group
        if within(module, room)
    ]
    return max(found, key=lambda place: len(place[1]), default=None)


def breaches(module, imported):
    """What is wrong with one import, in words; nothing if it may stand."""
    if within(module, "ransac"):
        if within(imported, "human_pose") and not any(
            within(imported, room) for room in TOY_MAY_IMPORT
        ):
            yield f"{module} imports {imported}"
        return
    if within(imported, "ransac"):
        yield f"{module} imports {imported}, which nobody needs"
    here, there = place(module), place(imported)
    if there and here and there[1] != here[1] and there[0] >= here[0]:
        yield f"{module} imports {imported}, which is not before it"
    knows = imported == FLAGS[0] or within(imported, FLAGS[1])
    if knows and not within(module, "human_pose.commands"):
        if module not in ("human_pose.main", "human_pose.Sample"):
            yield f"{module} knows of flags"
    if within(module, "wiberg_tf") and module != "wiberg_tf.keras":
        if imported.split(".")[0] in (*NOT_FOR_ARITHMETIC, "human_pose"):
            yield f"{module} imports {imported}"
    if within(module, "human_pose.geometry"):
        if imported.split(".")[0] in NOT_FOR_ARITHMETIC:
            yield f"{module} imports {imported}"
    if module == "human_pose.files.errors":
        yield f"{module} imports {imported}; it imports nothing"


def all_breaches(texts):
    return [
        breach
        for module, text in texts.items()
        for imported in imports(text, texts)
        for breach in breaches(module, imported)
    ]


@pytest.fixture(scope="module")
def texts():
    return {name: path.read_text("utf-8") for name, path in modules(ROOT).items()}


def test_no_room_imports_from_a_later_one(texts):
    assert all_breaches(texts) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("human_pose.datasets.images.dataset", "from human_pose.i1 import codec"),
        (
            "human_pose.datasets.order",
            "from human_pose.datasets.builders import sources",
        ),
        ("human_pose.exchange.plain", "import human_pose.datasets.builders.sources"),
        ("human_pose.datasets.builders.sources", "import human_pose.runs.lock"),
        ("human_pose.lifting.lifter", "import human_pose.i1.codec"),
        ("human_pose.i1.sample", "from human_pose.lifting.sizes import pose_size"),
        ("human_pose.runs.folder", "from human_pose import lifting"),
        ("human_pose.i1.training.plan", "from absl import flags"),
        ("human_pose.i1.training.plan", "import absl"),
        ("human_pose.i1.training.plan", "import absl.flags"),
        ("human_pose.i1.training.plan", "import absl.flags as f"),
        ("human_pose.i1.training.plan", "from absl.flags import FLAGS"),
        ("human_pose.runs.folder", "import ransac.toy"),
        ("human_pose.commands.shell", "from ransac import settings"),
        ("human_pose.geometry.cameras", "import keras"),
        ("human_pose.geometry.cameras", "from keras import ops"),
        ("human_pose.geometry.metrics", "import h5py"),
        ("wiberg_tf._problem", "from ransac import toy"),
        ("wiberg_tf.keras", "import ransac"),
        ("human_pose.files.errors", "import os"),
        ("human_pose.geometry.cameras", "def f():\n    from human_pose import main"),
        ("wiberg_tf._problem", "import keras"),
        ("wiberg_tf._problem", "from human_pose.files.paths import atomic"),
        ("ransac.toy", "from human_pose.runs import folder"),
    ],
)
def test_a_forbidden_import_is_found(texts, module, line):
    changed = texts | {module: f"{texts[module]}\n{line}\n"}
    assert any(breach.startswith(f"{module} ") for breach in all_breaches(changed))


def test_no_import_runs_in_a_circle_of_rooms(texts):
    """Rooms of `human_pose`, each with what it imports, can be put in one order."""
    arrows = {}
    for module, text in texts.items():
        here = place(module)
        for imported in imports(text, texts):
            there = place(imported)
            if here and there and here[1] != there[1]:
                arrows.setdefault(here[1], set()).add(there[1])
    done = set()
    while left := {room for room in arrows if room not in done}:
        ready = {room for room in left if not (arrows[room] & left)}
        assert ready, f"a circle among {sorted(left)}"
        done |= ready


def test_no_package_defines_what_has_a_modules_name(texts):
    """Python puts the module in its place with the module's first import."""
    hidden = [
        f"{module}.{node.name}"
        for module, text in texts.items()
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and f"{module}.{node.name}" in texts
    ]
    assert not hidden


def test_no_module_lies_loose():
    loose = {path.name for path in (ROOT / "human_pose").glob("*.py")}
    assert loose == {"__init__.py", "main.py", "Sample.py"}


def test_no_module_is_long():
    long = {
        name: count
        for name, path in modules(ROOT).items()
        if (count := len(path.read_text("utf-8").splitlines())) > MOST_LINES
    }
    assert not long


def test_no_library_speaks_in_flags(texts):
    """Words such as `--x` stand in the commands only."""
    spoken = {}
    for module, text in texts.items():
        if within(module, "human_pose.commands") or within(module, "ransac"):
            continue
        if module in ("human_pose.main", "human_pose.Sample"):
            continue
        words = [
            node.value
            for node in nodes(text)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and "--" in node.value.replace("---", "")
        ]
        if words:
            spoken[module] = words
    assert not spoken
