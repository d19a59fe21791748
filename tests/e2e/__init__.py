"""What needs real servers: run by `make e2e`, not by `make test`."""
