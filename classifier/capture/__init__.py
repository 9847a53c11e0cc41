"""Floor 2: frames in, from capture files and from the ring of a NIC. Sockets, mmap and the wall clock live here."""
