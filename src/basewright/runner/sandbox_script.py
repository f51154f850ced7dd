"""The program behind the sandbox: `python -I -S sandbox_script.py`, with its orders on standard input.

It imports the standard library first and basewright's own modules last, and nothing at all once a root has changed.
"""
# System calls by name: pathlib costs the script start-up time.
# ruff: noqa: PTH100, PTH120

import os
import sys

if __name__ == "__main__":
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from basewright.runner.supervisor import main

    sys.exit(main())
