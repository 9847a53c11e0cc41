"""Floor 7: a gateway to try freeflow on, in network namespaces. A user of the product, not a part of the metering.

Rules of this room: it knows the catalogue and nothing else of the package, since it runs `freeflow` as a person would.
Sockets, pyroute2, other processes and the clock may all be used here, because the lab is a small world of its own; nobody but
the command line may import it. Nothing of the host is changed but `/run`: no interface, route, sysctl or resolver of it.
"""

# Beside the command's options, which are made without importing the rest of the room.
DEFAULT_PREFIX = "freeflow-lab"
DEFAULT_SECONDS = 20
SECONDS_MAX = 3600
