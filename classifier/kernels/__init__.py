"""Floor 1: numba kernels. Numbers in, counts out; no I/O, no objects, no clock; they never raise or allocate."""
