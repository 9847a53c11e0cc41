"""Floor 2: whose address it is. The subscriber file -> ranges that kernels search; RADIUS and DHCP -> bindings by time."""
