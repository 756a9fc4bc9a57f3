"""The compiled ops, one module each: wrapper, fake, gradient and a slow ``reference()`` that says what is meant."""

from .back_project import back_project
from .make_targets import Targets, make_targets
from .read_limb_depths import read_limb_depths

__all__ = ["Targets", "back_project", "make_targets", "read_limb_depths"]
