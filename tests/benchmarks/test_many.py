from pathlib import Path

from benchmarks.many import Watched, measure, memory


def test_a_killed_run_of_a_few_ends_as_the_other(tmp_path: Path) -> None:
    result = measure(tmp_path, pictures=120, kills=1, seed=1, method="gaussian")
    assert (result["equal"], result["wrong"], result["killed"]["lines"]) == (True, [], 120)
    assert result["killed"]["codes"] == [-9]
    assert (result["ours"]["code"], result["killed"]["code"]) == (0, 0)
    assert result["ours"]["mb_early"] > 1


def test_memory_is_taken_after_the_first_thousand_and_at_the_end() -> None:
    growing = Watched(memory=[(through, 1_000_000 + 100 * through) for through in range(0, 100_001, 10)])
    first, last = memory(growing, 100_000)
    assert 1.1 < first < 1.7
    assert last == 11.0
