"""Fixtures and options shared by every test."""

import os
from pathlib import Path
from unittest import mock

import pytest

_ROOT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser):
    parser.addoption(
        "--large", action="store_true", help="also run the tests marked `large`"
    )


def pytest_collection_modifyitems(config, items):
    if config.getoption("--large"):
        return
    skip = pytest.mark.skip(reason="large: run with --large")
    for item in items:
        if "large" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def environment():
    """What a command sets for its own process does not outlive the test."""
    with mock.patch.dict(os.environ):
        # Whoever runs the tests may log more, or less, than a command does by itself.
        os.environ.pop("TF_CPP_MIN_LOG_LEVEL", None)
        yield


@pytest.fixture(scope="session")
def shared():
    """The folder of golden numbers beside the project; skips where there is none."""
    path = _ROOT.parent / "shared"
    if not (path / "reference").is_dir():
        pytest.skip("needs ../shared")
    return path
