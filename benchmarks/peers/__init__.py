"""Programs around the peers' own code, run as processes of their own."""
