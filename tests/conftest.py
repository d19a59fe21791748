"""No test asserts a time, so Hypothesis does not either: a loaded machine is no failure."""

from hypothesis import settings

settings.register_profile("dartblur", deadline=None)
settings.load_profile("dartblur")
