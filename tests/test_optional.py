"""A library that is missing is one sentence."""

import pytest

from dartblur.errors import DartblurError
from dartblur.optional import optional_module


def test_a_missing_module_is_one_clear_sentence() -> None:
    with pytest.raises(DartblurError, match=r"the module no_such_module is not installed \(No module .*\); do this$"):
        optional_module("no_such_module", "do this")
