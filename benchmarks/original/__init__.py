"""The original implementation of DartBlur as a peer: its checkout run as it is, or its step rebuilt on our modules."""
