"""What was rated, durably: a SQLite file that one process at a time writes, an entry for each interval. All SQL is here."""
