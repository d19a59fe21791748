"""What a team's Prefect server does by itself, set up by one command that may be repeated (`prefect deploy --all` first):

    python -m flows.automations --trainings 1 --notify slack-webhook/team

- At most so many trainings at once, over all workers: as many as there are GPUs.
- A run whose process was lost is scheduled again; DVC and the checkpoints make it go on where it was.
- A run that failed is told to whoever the operator's notification block reaches.

That a changed data set starts the pipeline stands in prefect.yaml, beside the deployment.
"""

import argparse
import sys
from datetime import timedelta
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from dartblur.errors import DartblurError, UsageError
from flows.stage import TRAINING

DEPLOYMENTS = ("pipeline/pipeline", "anonymise/anonymise", "promote/promote", "watch/watch")
LOST, FAILED = "dartblur: lost runs go on", "dartblur: failed runs are told"
ALIVE = "prefect.flow-run.heartbeat"
ENDED = tuple(f"prefect.flow-run.{name}" for name in ("Completed", "Failed", "Cancelled", "Crashed", "AwaitingRetry", "Refused"))
LOST_AFTER_SECONDS = 600
"""Three of Prefect's heartbeats (PREFECT_FLOWS_HEARTBEAT_FREQUENCY, 180 s) and a little."""
BODY = """{{ flow.name }}: run {{ flow_run.name }} ended as {{ flow_run.state.name }}.
{{ flow_run.state.message }}
{{ flow_run|ui_url }}"""


def lost_runs(deployments: list[str], seconds: float) -> AutomationCore:
    """Runs of ``deployments`` (ids) that have given no sign of life for so long are scheduled again.

    Runs from a terminal are left alone: no worker would take them up.
    """
    trigger = EventTrigger(
        posture=Posture.Proactive,
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related=_of(deployments),
        for_each={"prefect.resource.id"},
        after={ALIVE},
        expect={ALIVE, *ENDED},
        within=timedelta(seconds=seconds),
    )
    message = f"no sign of life for {seconds:g} s: its process was lost, another one goes on with it"
    action = ChangeFlowRunState(state=StateType.SCHEDULED, name="AwaitingRetry", message=message, force=False)
    return AutomationCore(name=LOST, description="a worker or its machine went down", trigger=trigger, actions=[action])


def failed_runs(deployments: list[str], block: Any) -> AutomationCore:
    """Runs of ``deployments`` (ids) that failed or crashed are told through a notification block (its id)."""
    trigger = EventTrigger(
        posture=Posture.Reactive,
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related=_of(deployments),
        expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
    )
    action = SendNotification(block_document_id=block, subject="dartblur: {{ flow.name }} failed", body=BODY)
    return AutomationCore(name=FAILED, description="whoever the block reaches", trigger=trigger, actions=[action])


def _of(deployments: list[str]) -> dict[str, str | list[str]]:
    return {"prefect.resource.role": "deployment", "prefect.resource.id": [f"prefect.deployment.{one}" for one in deployments]}


def set_up(trainings: int, notify: str | None, lost_after: float) -> list[str]:
    """Make or renew everything; one line for each part.

    Args:
        trainings: how many at once.
        notify: a notification block, <type>/<name>; nobody is told if None, and what was set up before stays.
        lost_after: seconds without a sign of life.

    Raises:
        UsageError: no deployment, or no such block.
    """
    with get_client(sync_client=True) as client:
        deployments = [found for name in DEPLOYMENTS if (found := _deployment(client, name)) is not None]
        if not deployments:
            raise UsageError("Prefect has none of this project's deployments; run `prefect --no-prompt deploy --all` first")
        client.upsert_global_concurrency_limit_by_name(f"tag:{TRAINING}", trainings)
        said = [f"trainings at once: {trainings}"]
        _renew(client, lost_runs(deployments, lost_after))
        said.append(f"lost runs go on after {lost_after:g} s without a sign of life")
        if notify is not None:
            _renew(client, failed_runs(deployments, _block(client, notify)))
            said.append(f"failed runs are told to {notify}")
    return said


def _deployment(client: SyncPrefectClient, name: str) -> str | None:
    try:
        return str(client.read_deployment_by_name(name).id)
    except ObjectNotFound:
        return None


def _block(client: SyncPrefectClient, name: str) -> Any:
    kind, _, document = name.partition("/")
    try:
        return client.read_block_document_by_name(document, kind).id
    except ObjectNotFound as error:
        raise UsageError(f"{name}: Prefect has no such block; make one on its page Blocks, or see `prefect block ls`") from error


def _renew(client: SyncPrefectClient, automation: AutomationCore) -> None:
    first, *others = [*client.read_automations_by_name(automation.name), None]
    if first is None:
        client.create_automation(automation)
        return
    client.update_automation(first.id, automation)
    for other in others:
        if other is not None:
            client.delete_automation(other.id)


def main() -> int:
    """Set up; 0, or one sentence and its exit code."""
    parser = argparse.ArgumentParser(prog="python -m flows.automations", description="Set up what Prefect's server does by itself.")
    parser.add_argument("--trainings", type=int, default=1, help="trainings at once over all workers, as many as there are GPUs (default 1)")
    parser.add_argument("--notify", metavar="TYPE/NAME", help="notification block that is told of failed runs, such as slack-webhook/team")
    parser.add_argument("--lost-after", type=float, default=LOST_AFTER_SECONDS, help=f"seconds without a sign of life (default {LOST_AFTER_SECONDS})")
    given = parser.parse_args()
    try:
        if given.trainings < 1 or given.lost_after < 10:
            raise UsageError("--trainings must be at least 1 and --lost-after at least 10")
        sys.stdout.write("".join(f"{line}\n" for line in set_up(given.trainings, given.notify, given.lost_after)))
    except DartblurError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except (httpx.HTTPError, PrefectHTTPStatusError, RuntimeError) as error:
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        sys.stderr.write(f"error: Prefect's server refused or does not answer ({first}); check PREFECT_API_URL, or start it with `make services`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
