"""`python -m gateway.app` is `anju`."""

from gateway.app import main

main()
