"""Processing job that takes its time, then leaves with the exit code it was given."""

from __future__ import annotations

import argparse
import sys
import time


def main() -> None:
    """Sleep `--seconds`, exit with `--code`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--code", type=int, default=0)
    given = parser.parse_args()
    time.sleep(given.seconds)
    sys.exit(given.code)


if __name__ == "__main__":
    main()
