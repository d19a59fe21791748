"""Working with a team's servers as its people do: the command line, deployments that a worker runs, an operator's answers."""

import logging
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import httpx
import psutil  # type: ignore[import-untyped]

from tests.e2e.project import BIN, call, environment

ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
PATIENCE_SECONDS = 3600
POOL = "dartblur"
log = logging.getLogger("e2e")


class Team:
    """One checkout and the servers that ``variables`` lead to."""

    def __init__(self, folder: Path, variables: Mapping[str, str], logs: Path) -> None:
        self.folder, self.variables, self.logs = folder, dict(variables), logs

    def run(self, program: str, *words: str) -> str:
        """A program of the environment, which has to succeed; its output."""
        log.info("$ %s", " ".join([program, *words]))
        return call(self.folder, self.variables, str(BIN / program), *words)

    def refused(self, program: str, *words: str) -> str:
        """A program that has to refuse; the one sentence on standard error."""
        log.info("$ %s", " ".join([program, *words]))
        done = subprocess.run(
            [str(BIN / program), *words], cwd=self.folder, env=environment(self.folder, self.variables), capture_output=True, text=True, check=False
        )
        lines = done.stderr.strip().splitlines()
        assert done.returncode in (1, 2) and len(lines) == 1 and lines[0].startswith("error: "), done.stdout + done.stderr
        log.info("  %s", lines[0])
        return lines[0]

    def deploy(self) -> None:
        """Pool and deployments, those of this checkout in place of another's."""
        self.run("prefect", "work-pool", "create", POOL, "--type", "process", "--overwrite")
        self.run("prefect", "--no-prompt", "deploy", "--all")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request to Prefect's API."""
        return httpx.request(method, self.variables["PREFECT_API_URL"] + path, json=body, timeout=60).raise_for_status().json()

    def start(self, flow: str, **parameters: Any) -> str:
        """Run a deployment (named as its flow); the id of the run."""
        deployment = self.ask("GET", f"/deployments/name/{flow}/{flow}")
        made = self.ask("POST", f"/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters, "state": {"type": "SCHEDULED"}})
        log.info("$ prefect deployment run %s/%s %s", flow, flow, parameters or "")
        return str(made["id"])

    def state(self, run: str) -> dict[str, Any]:
        """The run's state, as Prefect has it now."""
        found: dict[str, Any] = self.ask("GET", f"/flow_runs/{run}")["state"]
        return found

    def wait(self, run: str, *kinds: str) -> dict[str, Any]:
        """The state of a run once it has ended, or has become one of ``kinds``."""
        patience = time.monotonic() + PATIENCE_SECONDS
        while (state := self.state(run))["type"] not in {*ENDED, *kinds}:
            assert time.monotonic() < patience, f"{run} is still {state['name']}"
            time.sleep(0.5)
        log.info("  %s: %s", state["name"], state["message"])
        return state

    def answer(self, run: str, approve: bool, reason: str) -> None:
        """An operator's decision on a run that is paused."""
        given = {"approve": approve, "operator": "Ada", "reason": reason}
        assert self.ask("POST", f"/flow_runs/{run}/resume", {"run_input": given})["status"] == "ACCEPT"
        log.info("  Ada: %s, %s", "yes" if approve else "no", reason)

    @contextmanager
    def worker(self, **extra: str) -> Iterator[psutil.Process]:
        """A worker of the pool for the block; killed with everything it started, if it has not been before."""
        with (self.logs / "worker.log").open("ab") as output:
            worker = self._start_worker(output, extra)
        try:
            yield worker
        finally:
            kill_all(worker)

    def _start_worker(self, output: IO[bytes], extra: Mapping[str, str]) -> psutil.Process:
        # Asked every two seconds for work, so that a test does not wait; its flows give a sign of life as often as Prefect lets them.
        quick = {"PREFECT_WORKER_QUERY_SECONDS": "2", "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}
        variables = environment(self.folder, {**self.variables, **quick, **extra})
        command = [str(BIN / "prefect"), "worker", "start", "--pool", POOL]
        return psutil.Popen(command, cwd=self.folder, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)


def kill_all(worker: psutil.Process) -> None:
    """SIGKILL to a process and to all that it has started, at once: held first, so that none can answer the death of another."""
    family = _held(worker)
    for process in family:
        _send(process, "kill")
    psutil.wait_procs(family, timeout=60)


def _held(worker: psutil.Process) -> list[psutil.Process]:
    held: dict[int, psutil.Process] = {}
    while True:
        try:
            found = [worker, *worker.children(recursive=True)]
        except psutil.NoSuchProcess:
            return list(held.values())
        new = [process for process in found if process.pid not in held]
        if not new:
            return list(held.values())
        for process in new:
            _send(process, "suspend")
            held[process.pid] = process


def _send(process: psutil.Process, what: str) -> None:
    with suppress(psutil.NoSuchProcess):
        getattr(process, what)()
