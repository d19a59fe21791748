"""Speed and memory, beside the peers. Each script prints its figures; those that a peer is timed by live in the folders."""
