"""``python -m smap`` is the `smap` command."""

import sys

from .cli import main

sys.exit(main())
