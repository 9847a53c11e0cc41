"""`python -m classifier`: the command without its installed name."""

import sys

from classifier.cli.main import command

sys.exit(command())
