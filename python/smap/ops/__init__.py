"""The compiled ops, one module each: wrapper, fake, gradient and a slow ``reference()`` that says what is meant."""

from .back_project import back_project
from .read_limb_depths import read_limb_depths

__all__ = ["back_project", "read_limb_depths"]
