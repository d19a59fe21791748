"""Prefect flows. They give order, retries, logs and schedules; DVC runs the stages and is the only cache.

The settings below are defaults for whoever set none. Prefect reads them when it is imported, so they stand here, before any module of this package.
"""

import os
from pathlib import Path

_DEFAULTS = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_HOME": str(Path(__file__).resolve().parents[1] / ".prefect-home"),
    # Without a server a flow starts one for itself; on a busy machine that takes longer than Prefect's 20 s.
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_LOGGING_SERVER_LEVEL": "ERROR",
}
for _key, _value in _DEFAULTS.items():
    os.environ.setdefault(_key, _value)
