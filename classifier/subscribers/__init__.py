"""Floor 2: whose address it is. The subscriber file -> records -> ranges that kernels search."""
