"""DartBlur: blur faces so that people stay private and detectors still learn.

Importing this package imports nothing heavy; open the room that you need, for example ``from dartblur.blur.dartblur import DartBlur``.
"""

__version__ = "0.1.0"
