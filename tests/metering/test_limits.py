"""Sizes that the kernels' own margins do not fit into are the operator's mistake, said in one line."""

from __future__ import annotations

import pytest
from meters import measure

from classifier.errors import ConfigurationError
from classifier.kernels.streams import FLOATING_OFFSET


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("flows", 0),
        ("subscribers", 0),
        ("streams", 0),
        ("stream_octets", FLOATING_OFFSET),
        ("name_octets", 512),
        ("flow_log", 64),
        ("usage_rows", 64),
        ("held_volumes", 1 << 20),
        ("dns_queries", 0),
        ("dns_names_each", 0),
    ],
)
def test_a_table_that_is_too_small_is_named(name, size):
    with pytest.raises(ConfigurationError) as mistake:
        measure([], **{name: size})
    (problem,) = mistake.value.problems
    assert "\n" not in problem
    assert ("usage_rows" if name == "held_volumes" else name) in problem
