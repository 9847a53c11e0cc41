"""The log of ended flows and the table of their names, taken out of the meter's tables when they are full."""

from __future__ import annotations

import numpy as np

from classifier.kernels.bundle import Bundle


def take_log(tables: Bundle) -> tuple[np.ndarray, list[bytes]]:
    """Take the ended flows (FLOW) out, in the order in which they ended; `name` and `other_name` are places in the names."""
    state = tables.state[0]
    rows = tables.log[: int(state.log_count)].copy()
    state.log_count = 0
    used = np.unique(np.concatenate([rows["name"], rows["other_name"]]))
    used = used[used >= 0]
    place = np.full(tables.names.shape[0] + 1, -1, np.int32)
    place[used] = np.arange(used.size)
    names = []
    for name in tables.names[used]:
        names.append(tables.name_pool[name.offset : name.offset + name.length].tobytes())
    rows["name"] = place[rows["name"]]
    rows["other_name"] = place[rows["other_name"]]
    return rows, names


def drop_names(tables: Bundle) -> None:
    """Keep only the names that flows in the table still need; where that frees nothing, new names are not kept."""
    state = tables.state[0]
    live = tables.flows["serial"] != 0
    kept: dict[int, int] = {}
    pool = bytearray()
    rows = []
    for old in np.unique(np.concatenate([tables.flows["name"][live], tables.flows["other_name"][live]])):
        if old < 0:
            continue
        name = tables.names[old]
        kept[int(old)] = len(rows)
        rows.append((int(name.hash), len(pool), int(name.length)))
        pool += tables.name_pool[name.offset : name.offset + name.length].tobytes()
    if 2 * len(rows) > tables.names.shape[0] or 2 * len(pool) > tables.name_pool.shape[0]:
        # Half of the table is needed by flows that are still there: start afresh rather than come back at every frame.
        kept, rows, pool = {}, [], bytearray()
        state.names_over += 1
    place = np.full(tables.names.shape[0] + 1, -1, np.int32)
    for old, new in kept.items():
        place[old] = new
    for field in ("name", "other_name"):
        tables.flows[field][live] = place[tables.flows[field][live]]
    tables.name_index.fill(-1)
    tables.name_pool[: len(pool)] = np.frombuffer(bytes(pool), np.uint8)
    mask = tables.name_index.shape[0] - 1
    for number, (hashed, offset, length) in enumerate(rows):
        home = (hashed & 0xFFFFFFFF) & mask
        tables.names[number] = (hashed, offset, length, tables.name_index[home])
        tables.name_index[home] = number
    state.name_count = len(rows)
    state.name_octets = len(pool)
