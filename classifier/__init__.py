"""freeflow: an inline packet classifier with flow accounting (see ARCHITECTURE.md for the floors)."""

__version__ = "0.1.0"
