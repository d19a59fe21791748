"""`make services`: S3, PostgreSQL, MLflow and Prefect servers on loopback, until Ctrl-C."""

import argparse
import os
import signal
import sys
from pathlib import Path

from dartblur.errors import DartblurError
from services.stack import Ports, stack

ENVIRONMENT = "environment"


def main() -> int:
    """Run the servers; 0 after Ctrl-C, 1 with one sentence if one does not start."""
    parser = argparse.ArgumentParser(prog="python -m services", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(".work/services"), help="where they keep what they hold")
    for name, port in vars(Ports()).items():
        parser.add_argument(f"--{name}", type=int, default=port, help=f"port (default {port})")
    arguments = vars(parser.parse_args())
    folder = arguments.pop("folder").resolve()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with stack(folder, Ports(**arguments)) as servers:
            _write_environment(folder / ENVIRONMENT, servers.variables())
            sys.stdout.write(f"S3       {servers.s3.url}\nMLflow   {servers.mlflow}\nPrefect  {servers.prefect.removesuffix('/api')}\n")
            sys.stdout.write(
                f"In another terminal: source {Path(os.path.relpath(folder / ENVIRONMENT))}. Ctrl-C ends them; what they hold is kept.\n"
            )
            sys.stdout.flush()
            signal.pause()
    except KeyboardInterrupt:
        return 0
    except DartblurError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


def _write_environment(path: Path, variables: dict[str, str]) -> None:
    """Lines for a shell, readable by their owner alone."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write("".join(f"export {name}={value}\n" for name, value in variables.items()))


if __name__ == "__main__":
    sys.exit(main())
