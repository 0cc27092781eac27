"""`python -m cloudml_local.endpoint.router`: started by the manager, not by hand."""

from __future__ import annotations

import sys

from cloudml_local.endpoint.router.process import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
