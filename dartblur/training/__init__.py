"""Training DartBlur: the four objectives, the differentiable inner step, the trainer, checkpoints."""
