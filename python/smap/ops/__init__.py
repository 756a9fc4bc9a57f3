"""The compiled ops, one module each: wrapper, fake, gradient and a slow ``reference()`` that says what is meant."""

from .back_project import back_project

__all__ = ["back_project"]
