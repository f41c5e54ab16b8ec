"""`python -m xrm_control.cli` is `xrm`."""

from xrm_control.cli.main import main

main()
