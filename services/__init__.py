"""The servers of a team on one machine, all on loopback: S3 (SeaweedFS), PostgreSQL, MLflow, Prefect. For trying out, and for tests/e2e."""
