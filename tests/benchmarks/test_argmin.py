"""benchmarks/argmin.py: every framework in a process of its own, made-up ones here."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parents[2] / "benchmarks"
_ROWS = {
    # Both in the same problem, so that they are compared.
    "sound": """
        import numpy as np
        def toy(problem):
            def call():
                return problem.truth, problem.sigma
            return {"sound, first": call, "sound, second": call}
        """,
    "other": """
        import numpy as np
        def toy(problem):
            return {"other": lambda: (problem.truth + 0.25, problem.sigma)}
        """,
    "absent": "import a_framework_that_is_not_there",
    "idle": "def chain(problem): return {}",
    # As PyTorch with Triton does when it comes after TensorFlow.
    "crashes_at_once": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "crashes_later": """
        import os, signal
        calls = []
        def toy(problem):
            def call():
                calls.append(1)
                if len(calls) > 3:
                    os.kill(os.getpid(), signal.SIGSEGV)
                return problem.truth, problem.sigma
            return {"doomed": call}
        """,
    "raises": """
        def toy(problem):
            def call():
                raise ArithmeticError("no such luck")
            return {"raising": call}
        """,
    "broken": "raise ImportError('its library is broken')",
}
_PEERS = ("tensorflow", "jax", "jaxopt", "optimistix", "torch", "wiberg_tf")


@pytest.fixture
def run(tmp_path):
    """Runs the benchmark with made-up frameworks, as a command does."""
    package = tmp_path / "made_up_rows"
    package.mkdir()
    for name, code in _ROWS.items():
        (package / f"{name}.py").write_text(textwrap.dedent(code))

    def compute(*names, rounds=3):
        code = f"""
            import sys
            sys.path.insert(0, {str(_FOLDER)!r})
            import argmin
            argmin.FRAMEWORKS = {tuple(f"made_up_rows.{name}" for name in names)!r}
            sys.argv = ["argmin.py", "--only", "toy", "--rounds", "{rounds}"]
            argmin.main()
            print("imported:", *(name for name in {_PEERS!r} if name in sys.modules))
            """
        paths = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            cwd=_FOLDER.parent,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return compute


def _table(done):
    """The cells of each row of what was printed."""
    lines = re.findall(r"^\| (.*) \|$", done.stdout, re.MULTILINE)
    rows = [line.split(" | ") for line in lines if not line.startswith("-")]
    return {name: cells for name, *cells in rows[1:]}


def test_rows_are_timed_and_compared(run):
    done = run("sound", "other", "idle")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    table = _table(done)
    assert list(table) == ["sound, first", "sound, second", "other"]
    for per_second, milliseconds, *_ in table.values():
        # 256 problems; rounded to a hundredth of a millisecond.
        assert float(per_second.replace(",", "")) > 0
        assert float(milliseconds) >= 0
    assert [cells[-2:] for cells in table.values()] == [
        ["0e+00", "0e+00"],
        ["0e+00", "0e+00"],
        ["2e-01", "0e+00"],
    ]


def test_the_parent_imports_no_framework(run):
    """Two of them in one process crashed it: PyTorch after TensorFlow."""
    done = run("sound")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].strip() == "imported:"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent", "no a_framework_that_is_not_there"),
        ("crashes_at_once", "its process died of SIGSEGV"),
        ("crashes_later", "its process died of SIGSEGV"),
        ("raises", "its process ended with code 1: ArithmeticError: no such luck"),
        ("broken", "its process ended with code 1: ImportError: its library is broken"),
    ],
)
def test_one_that_fails_is_left_out_in_a_line_and_the_others_go_on(run, name, reason):
    # First, too, where the others would be compared with it.
    done = run(name, "sound", "other")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [f"{name} left out: {reason}"]
    assert list(_table(done)) == ["sound, first", "sound, second", "other"]


def test_nothing_left_is_an_empty_table(run):
    done = run("absent")
    assert done.returncode == 0, done.stderr
    assert _table(done) == {}


def test_rows_of_one_algorithm_must_agree(run, tmp_path):
    published = textwrap.dedent(_ROWS["other"]).replace('"other"', '"as published"')
    (tmp_path / "made_up_rows" / "published.py").write_text(published)
    done = run("sound", "published")
    assert done.returncode != 0
    assert "AssertionError: as published differs: 0.25" in done.stderr


def test_frameworks_take_turns(run, tmp_path):
    """Each round asks every row once; a call before the timed one warms up."""
    log = tmp_path / "log"
    for name in ("one", "two"):
        (tmp_path / "made_up_rows" / f"{name}.py").write_text(
            textwrap.dedent(
                f"""
                def toy(problem):
                    def call():
                        with open({str(log)!r}, "a") as file:
                            file.write("{name} ")
                        return problem.truth, problem.sigma
                    return {{"{name}": call}}
                """
            )
        )
    done = run("one", "two", rounds=2)
    assert done.returncode == 0, done.stderr
    # Results, then two rounds; memory comes after.
    turns = ["one", "two", *["one", "one", "two", "two"] * 2]
    assert log.read_text().split()[: len(turns)] == turns
