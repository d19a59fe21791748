"""What a run leaves in Prefect's pages: the verdict, a table of the arms, a chart, links; and a failure with what to do about it.

No picture of a face goes there: Prefect's database is no place for the people of a data set.
"""

import base64
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prefect.artifacts import create_image_artifact, create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate

from dartblur.params import RegistryParams
from flows import summary

CHART = Path("reports/figures/average_precision.png")
FAILURE = "failure"


def show_pipeline(metrics: dict[str, Any], registry: RegistryParams) -> None:
    """The artifacts of a pipeline that came to its end.

    Args:
        metrics: reports/metrics.json.
    """
    create_markdown_artifact(summary.markdown(metrics), key="pipeline", description=summary.verdict(metrics))
    create_table_artifact(summary.rows(metrics), key="arms", description="every arm, trained on it and tested on clean pictures")
    if CHART.is_file():
        picture = base64.b64encode(CHART.read_bytes()).decode()
        create_image_artifact(f"data:image/png;base64,{picture}", key="average-precision", description="average precision of every arm")
    page = version_page(metrics, registry)
    if page is not None:
        create_link_artifact(page, "the registered version in MLflow", key="version", description=summary.verdict(metrics))


def version_page(metrics: dict[str, Any], registry: RegistryParams) -> str | None:
    """The address of the registered version on MLflow's pages, None where no server is named. Without the user and password that the URI may hold."""
    parts, version = urlsplit(registry.tracking_uri), (metrics.get("model") or {}).get("version")
    if parts.scheme not in ("http", "https") or version is None:
        return None
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path.rstrip('/')}/#/models/{registry.name}/versions/{version}"


def show_failure(flow: Any, flow_run: Any, state: Any) -> None:
    """A hook for flows that failed, crashed or were cancelled: what happened, and how to go on."""
    text = summary.failure(flow.name, flow_run.name, str(flow_run.id), state.name, state.message, flow_run.deployment_id is not None)
    request = ArtifactCreate(type="markdown", key=FAILURE, description=f"{flow_run.name}: {state.name}", data=text, flow_run_id=flow_run.id)
    # Through the client, because a hook runs after the flow, where an artifact would not know which run it belongs to.
    with get_client(sync_client=True) as client:
        client.create_artifact(request)
