"""`python -m cloudml.runtime ENVELOPE`: run one step."""

from __future__ import annotations

import sys

from cloudml.runtime.main import run

USAGE = "usage: python -m cloudml.runtime ENVELOPE"

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(USAGE)
    sys.exit(run(sys.argv[1]))
