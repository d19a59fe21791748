"""Promotion by hand, as a Prefect flow: look, ask a person, move.

python -m flows.promote --version 3 --no-approval       # here and now
prefect deployment run promote/promote --param version=3  # in a worker; the run pauses until an operator resumes it with a reason
"""

import argparse
import sys
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from prefect.states import Completed, Failed
from pydantic import Field

from dartblur.errors import DartblurError
from dartblur.params import load_params
from dartblur.registry import aliases
from flows import commandline, summary

REFUSED = "Refused"
POLL_SECONDS = 5


class Decision(RunInput):
    """What an operator answers."""

    approve: bool = Field(description="make this version the champion")
    operator: str = Field(min_length=1, description="who you are")
    reason: str = Field(min_length=1, description="why; kept with the version")


@task(task_run_name="look", cache_policy=NO_CACHE, persist_result=False)
def look(version: str | None) -> aliases.Move:
    """What would move, checked; shown as an artifact."""
    move = aliases.plan(load_params().registry, version)
    create_markdown_artifact(summary.promotion(move), key="promotion", description=summary.intention(move))
    return move


@task(task_run_name="move", cache_policy=NO_CACHE, persist_result=False)
def move_aliases(move: aliases.Move, approval: aliases.Approval | None) -> aliases.Move:
    """The move itself, unless another version became champion since it was looked at."""
    return aliases.carry_out(load_params().registry, move, approval)


@flow(name="promote", persist_result=False)
def promote(version: str | None = None, approval: bool = True, dry_run: bool = False, patience_hours: float = 24) -> State[Any]:
    """Make a version that passed the gate the champion.

    Args:
        version: number or alias of the version; the challenger if None.
        approval: pause until an operator resumes the run with a decision.
        dry_run: look and check, move nothing.
        patience_hours: how long to wait for the operator; then nothing moves.
    """
    try:
        move = look(version)
        if move.former == move.version.version or dry_run:
            return Completed(message=summary.intention(move))
        agreed = None
        if approval:
            get_run_logger().info("%s; resume this run with a decision", summary.intention(move))
            wanted = Decision.with_initial_data(description=summary.promotion(move), approve=False)
            answer = pause_flow_run(wait_for_input=wanted, timeout=int(patience_hours * 3600), poll_interval=POLL_SECONDS)
            if not answer.approve:
                return Completed(name=REFUSED, message=f"{answer.operator} refused version {move.version.version}: {answer.reason}; nothing moved")
            agreed = aliases.Approval(answer.operator, answer.reason)
        done = move_aliases(move, agreed)
    except FlowPauseTimeout:
        return Failed(message=f"nobody decided within {patience_hours:g} hours; nothing moved, run it again")
    except DartblurError as error:
        return Failed(message=str(error))
    return Completed(message=f"version {done.version.version} is champion in place of {done.former or 'none'}")


def main() -> int:
    """Run the flow from the command line; 0 if it completed, 1 with one sentence if it did not, 130 if interrupted."""
    parser = argparse.ArgumentParser(prog="python -m flows.promote", description="Promote a registered model as a Prefect flow.")
    parser.add_argument("--version", help="number or alias (default: the challenger)")
    parser.add_argument("--no-approval", action="store_true", help="do not wait for an operator")
    parser.add_argument("--dry-run", action="store_true", help="check and say what would move, move nothing")
    arguments = parser.parse_args()
    return commandline.run(lambda: promote(arguments.version, not arguments.no_approval, arguments.dry_run, return_state=True))


if __name__ == "__main__":
    sys.exit(main())
