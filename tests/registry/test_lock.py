"""Of two who move aliases at once one waits his turn, and a lock whose owner was killed holds nobody up."""

import os
import subprocess
import sys
import threading

import pytest

from dartblur.errors import DartblurError
from dartblur.params import RegistryParams
from dartblur.registry import lock as locks
from dartblur.registry.lock import lock
from dartblur.registry.tracking import connect
from tests.registry.conftest import MLFLOW_WARNINGS

pytestmark = MLFLOW_WARNINGS


def names(registry: RegistryParams) -> list[str]:
    return [model.name for model in connect(registry).search_registered_models()]


def test_the_second_is_told_who_is_at_work(registry: RegistryParams) -> None:
    client = connect(registry)
    with lock(client, "m"):
        assert names(registry) == ["m.lock"]
        with (
            pytest.raises(DartblurError, match=r"m: another promotion is at work \(.*, process \d+, since \d\d:\d\d:\d\d\); wait"),
            lock(client, "m"),
        ):
            raise AssertionError
        with lock(client, "other"):
            pass
    assert names(registry) == []


def test_an_error_gives_the_lock_back(registry: RegistryParams) -> None:
    client = connect(registry)
    with pytest.raises(RuntimeError), lock(client, "m"):
        raise RuntimeError
    with lock(client, "m"):
        assert names(registry) == ["m.lock"]


def test_the_lock_of_a_killed_owner_is_taken_once(registry: RegistryParams, monkeypatch: pytest.MonkeyPatch) -> None:
    client = connect(registry)
    client.create_registered_model("m.lock", description="a machine that is gone, process 7")
    monkeypatch.setattr(locks, "STALE_SECONDS", -1)
    with lock(client, "m"):
        monkeypatch.setattr(locks, "STALE_SECONDS", 300)
        assert "a machine that is gone" not in client.get_registered_model("m.lock").description
        with pytest.raises(DartblurError, match="another promotion is at work"), lock(client, "m"):
            raise AssertionError
    assert names(registry) == []


def test_a_process_that_is_gone_from_this_machine_holds_nobody_up(registry: RegistryParams) -> None:
    """Killed in the middle of a move: its lock is taken at once, not after minutes; that of a process at work is not."""
    code = (
        "import os, signal, sys; from dartblur.params import RegistryParams; from dartblur.registry.tracking import connect;"
        "from dartblur.registry.lock import lock\n"
        "registry = RegistryParams.model_validate_json(sys.argv[1])\n"
        "with lock(connect(registry), 'm'):\n"
        "    print('held', flush=True)\n"
        "    signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code, registry.model_dump_json()], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        client = connect(registry)
        with pytest.raises(DartblurError, match=f"process {process.pid}"), lock(client, "m"):
            raise AssertionError
        process.kill()
        process.wait()
        with lock(client, "m"):
            assert names(registry) == ["m.lock"]
    assert names(registry) == []


@pytest.mark.parametrize(
    "owner", ["", "of another kind", "00000000-0000 pid:[1] 7 9", f"a b {os.getpid()} 1"], ids=["none", "kind", "machine", "process"]
)
def test_of_another_machine_nothing_is_known(owner: str) -> None:
    assert not locks._is_gone(owner)


def test_of_many_at_once_one_is_inside(registry: RegistryParams) -> None:
    client = connect(registry)
    inside, most, taken, refused = 0, 0, [], []
    start = threading.Barrier(4)

    def work(number: int) -> None:
        nonlocal inside, most
        start.wait()
        for _ in range(5):
            try:
                with lock(client, "m"):
                    inside += 1
                    most = max(most, inside)
                    taken.append(number)
                    inside -= 1
            except DartblurError:
                refused.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert len(taken) + len(refused) == 20
    assert taken
    assert names(registry) == []
