"""One module a pipeline stage: reads params and paths, calls the rooms, writes outputs. The only place that knows file names."""
