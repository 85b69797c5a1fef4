"""Errors say all in one line."""

import pytest

from human_pose.files.errors import InputError, one_line


def test_says_argument_rule_and_what_was_received():
    error = InputError("every", "must be 1 or more", 0)
    assert str(error) == "every must be 1 or more; received 0"
    assert error.argument == "every"
    assert str(InputError("every", "must be given")) == "every must be given"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\x85", "\u2028"])
def test_names_of_files_break_no_line(end):
    error = InputError(f"a{end}b.txt: no such file")
    assert str(error) == "a\\nb.txt: no such file"
    assert error.argument is None


def test_what_a_library_says_becomes_one_line_that_can_be_shown():
    assert one_line(OSError(" a\n  b\x1b[0m\udcff ")) == "a b?[0m?"
    assert one_line(KeyError()) == "KeyError"
