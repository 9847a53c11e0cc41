"""Floor 2: signatures on disk -> validated records -> lookup arrays. Only `compile` needs the kernels."""
