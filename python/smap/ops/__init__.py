"""The compiled ops, one module each."""
