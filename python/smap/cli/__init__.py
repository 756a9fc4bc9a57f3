"""The `smap` command. Each public module of this package is a subcommand of the same name: the first line of its
docstring is its help, ``add_arguments(parser)`` declares its options, ``run(args) -> int`` does it.

Exit codes: 0 done, 1 done but some of the inputs were skipped, 2 bad input (one line on stderr), 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence
from typing import NoReturn

from ..errors import BuildError
from ._streams import give_up, usable_streams

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory")  # in torch's errors, of GPUs and of the CPU


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage text."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class Version(argparse.Action):
    """Prints versions; torch is imported only when somebody asks."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        print(version())
        parser.exit()


def version() -> str:
    """Version of the library and of torch, and whether the CUDA ops are there."""
    from importlib.util import find_spec
    from pathlib import Path

    import torch

    from .. import __version__

    core = find_spec("smap._core")
    ops = "not built"
    if core and core.origin:
        built = (Path(core.origin).parent / "_ops_cuda.so").exists()
        if built and torch.cuda.is_available():
            ops = f"CPU and CUDA ops ({torch.cuda.get_device_name()})"
        else:
            ops = "CPU and CUDA ops, no GPU found" if built else "CPU-only ops"
    return f"smap {__version__}, torch {torch.__version__}, {ops}"


def commands() -> dict[str, str]:
    """Name of each subcommand -> name of its module."""
    modules = (m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return {name.replace("_", "-"): name for name in modules}


def build_parser(chosen: str | None = None) -> Parser:
    """The parser of all commands, or of the chosen one alone: the others' modules are not imported then."""
    parser = Parser(prog="smap", description="Every person in one image, in metres.")
    parser.add_argument("--version", action=Version, nargs=0, help="print versions and exit")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    known = commands()
    for name in [chosen] if chosen in known else known:
        module = importlib.import_module(f"{__name__}.{known[name]}")
        text = (module.__doc__ or "").strip()
        sub = subparsers.add_parser(
            name,
            help=text.partition("\n")[0],
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub)
        sub.set_defaults(run=module.run, prog=sub.prog)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code. ``SMAP_TRACEBACK=1`` shows where an error came from."""
    with usable_streams():
        try:
            try:
                return dispatch(sys.argv[1:] if argv is None else list(argv))
            finally:
                sys.stdout.flush()
        except BrokenPipeError:  # `smap ... | head`: nobody reads on, which is no error
            give_up(sys.stdout)
            return 0
        except OSError as error:
            give_up(sys.stdout)
            return report("smap", error)


def dispatch(argv: list[str]) -> int:
    args = build_parser(argv[0] if argv else None).parse_args(argv)
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        print(f"{args.prog}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        raise
    except (ValueError, OSError, BuildError, ModuleNotFoundError, MemoryError) as error:
        return report(args.prog, error)
    except RuntimeError as error:
        if not any(text in str(error) for text in _OUT_OF_MEMORY):
            raise
        return report(args.prog, error)


def report(prog: str, error: BaseException) -> int:
    """One line on stderr; 2."""
    if os.environ.get("SMAP_TRACEBACK") == "1":
        raise error
    text = " ".join(str(error).split()) or type(error).__name__
    print(f"{prog}: {text}", file=sys.stderr)
    return 2
