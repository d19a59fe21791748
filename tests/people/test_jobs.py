"""Jobs reach the processes that render them."""

from pathlib import Path

import pytest

from people.jobs import render


def test_a_process_finds_its_job_and_its_error_comes_back(tmp_path: Path) -> None:
    """Without Blender and anny, which this environment lacks, the job gets as far as importing them; a lost function would be another error."""
    with pytest.raises(ModuleNotFoundError, match=r"anny|bpy|scipy"):
        list(render([("people", 0, 0, tmp_path)], 1))
