"""How full the meter's tables are."""

from __future__ import annotations

from classifier.kernels.bundle import Bundle


def table_fill(tables: Bundle) -> tuple[tuple[str, int, int], ...]:
    """(table, places in use, places) of the tables that traffic fills; `bindings` only where there are any."""
    state = tables.state[0]
    used = [
        ("flows", int(state.flow_count), int(state.flow_capacity)),
        ("subscribers", int(state.subscriber_count), len(tables.subscribers)),
        ("usage", int(state.usage_count), len(tables.usage)),
        ("streams", int((tables.streams["serial"] != 0).sum()), len(tables.streams)),
        ("fragments", int((tables.fragments["used"] != 0).sum()), len(tables.fragments)),
        ("dns_names", _notes(tables.learned, state), len(tables.learned.rows) - 1),
        ("dns_queries", _notes(tables.queries, state), len(tables.queries.rows) - 1),
    ]
    if len(tables.bound.entries):
        used.append(("bindings", int(tables.bound.lengths.sum()), len(tables.bound.entries)))
    return tuple(used)


def _notes(notes: Bundle, state) -> int:
    """Notes that are kept: each belongs to a subscriber who has a number."""
    return int(notes.owners["count"][: state.subscriber_count].sum())
