"""`python -m simulators.ioc` as it is, with powders that other processes of a session of tests know already."""

from __future__ import annotations

import sys

from simulators.ioc.__main__ import main
from tests.once import powders_once

if __name__ == "__main__":
    powders_once()
    sys.exit(main())
