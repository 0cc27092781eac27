"""`python -m cloudml.serving`."""

from __future__ import annotations

import sys

from cloudml.serving.server import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
