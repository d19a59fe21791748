"""Where the stages read and write, relative to the project's root. dvc.yaml says the same."""

from pathlib import Path

SAMPLE = Path("data/sample")
CANONICAL = Path("data/canonical")
PREBLUR = Path("data/preblur")
ARMS = Path("data/arms")
EXTERNAL = Path("data/external")

DETECTOR = Path("models/detector")
DARTBLUR = Path("models/dartblur")
MODEL = DARTBLUR / "unet.safetensors"
RESTORERS = Path("models/restorers")

REPORTS = Path("reports")
VALIDATION = REPORTS / "validation.json"
VALIDATION_FAILURES = REPORTS / "validation_failures.csv"
DATA_DOCS = REPORTS / "data_docs"
LIVE = REPORTS / "live"
DOWNSTREAM = REPORTS / "downstream"
PRIVACY = REPORTS / "privacy.json"
TRANSFER = REPORTS / "transfer"
FROZEN = REPORTS / "frozen"
EVALUATION = REPORTS / "evaluation.json"
FIGURES = REPORTS / "figures"
METRICS = REPORTS / "metrics.json"
REVIEW = REPORTS / "review.html"
FRONTIER = REPORTS / "frontier.json"
INDEX = REPORTS / "index.html"

WORK = Path(".work")
"""Unfinished work that a killed stage picks up again; not tracked by DVC."""
