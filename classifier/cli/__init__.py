"""Floor 8: the commands, one file each. Arguments in, exit status out, and what a person sees meanwhile."""
