"""The three things a user can repair; everything else is ValueError, TypeError or FileNotFoundError.

Messages read "<name> must <rule>, got <value>".
"""


class WeightsError(ValueError):
    """A weights file cannot be used: missing, unexpected or mis-shaped keys, or not weights at all."""


class DatasetError(ValueError):
    """A data set or one of its records does not fit its declared format."""


class BuildError(RuntimeError):
    """The compiled part of the library is missing or does not fit this environment."""
