"""Rating stored usage again: under the same offers the very same ledger, under others what follows from them by hand."""

from __future__ import annotations

import sqlite3
from decimal import Decimal

import pytest
from offer_captures import Visit, paid_of, parts_of, replayed, used_of, with_tariff

from classifier.catalogue.load import load_catalogue, load_programmes
from classifier.errors import LedgerError
from classifier.gateway.rerating import rerate
from classifier.ledger.read import LedgerReader
from classifier.ledger.write import new_ledger

WECHAT, TAOBAO, ALIPAY, ELSEWHERE = "short.weixin.qq.com", "h5.m.taobao.com", "mobilegw.alipay.com", "www.example.org"
KNOWN = load_catalogue().application_names
LIN = "lin,10.0.0.1,china-mobile,guangdong,,,alibaba-free-flow=2013-11-01\n"
QIAN = "qian,10.0.0.2,china-unicom,jiangsu,,,alibaba-free-flow=2013-11-01\n"
MEI = "mei,10.0.0.3,china-unicom,guangdong,wechat-card-66,2013-11-09,wechat-card=2013-11-09\n"
NOVEMBER = [
    Visit("2013-11-05 00:00:00", "10.0.0.1", TAOBAO, 1_200_000_000),
    Visit("2013-11-10 12:00:00", "10.0.0.2", ALIPAY, 2_000_000_001),
    Visit("2013-11-10 12:00:05", "10.0.0.2", ELSEWHERE, 1000),
    Visit("2013-11-12 12:00:00", "10.0.0.3", WECHAT, 310_000_000),
    Visit("2013-11-30 23:59:59", "10.0.0.1", ALIPAY, 900_000_000),
]
DECEMBER = [
    Visit("2013-12-01 00:00:00", "10.0.0.1", ALIPAY, 900),
    Visit("2013-12-01 00:00:00", "10.0.0.2", ALIPAY, 800),
]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """Two months in two replays. By December Qian has gone to another operator, and has no package any more."""
    folder = tmp_path_factory.mktemp("rerating")
    path = folder / "usage.db"
    replayed(folder, LIN + QIAN + MEI, NOVEMBER, {"alibaba-free-flow": with_tariff()}, ledger=path)
    gone = "qian,10.0.0.2,china-telecom,jiangsu,,,\n"
    replayed(folder, gone + MEI + LIN, DECEMBER, {"alibaba-free-flow": with_tariff()}, ledger=path)
    return path


def dump(path) -> list[str]:
    """All that is in a ledger, but the kind of its runs."""
    connection = sqlite3.connect(path)
    connection.execute("UPDATE run SET kind = 'any'")
    lines = list(connection.iterdump())
    connection.close()
    return lines


def rerated(ledger, programmes, new=None):
    with LedgerReader(ledger) as reader:
        if new is None:
            return rerate(reader, programmes)
        with new_ledger(new) as writer:
            return rerate(reader, programmes, writer)


def test_the_ledger_is_what_the_offers_say(ledger):
    # Lin: 1.2 GB and 800 of 900 MB free, 100,000,000 charged. Qian: an octet over, 1,000 elsewhere, 800 in December.
    # Mei: 300 of 310 MB.
    assert parts_of(ledger) == {
        "lin": (2_000_000_900, 0, 100_000_000),
        "qian": (2_000_000_000, 0, 1 + 1000 + 800),
        "mei": (0, 300_000_000, 10_000_000),
    }


def test_the_same_offers_give_the_same_ledger_to_the_last_octet(ledger, tmp_path):
    result = rerated(ledger, None, tmp_path / "again.db")
    assert dump(tmp_path / "again.db") == dump(ledger)
    assert result.before == result.after
    assert result.gone == ()


def test_the_same_offers_read_from_their_files_do_so_too(ledger, tmp_path):
    (tmp_path / "alibaba-free-flow.toml").write_text(with_tariff())
    shipped = [one for one in load_programmes("builtin", KNOWN) if one.name != "alibaba-free-flow"]
    own = load_programmes(tmp_path, KNOWN)
    rerated(ledger, (*shipped, *own), tmp_path / "again.db")
    assert dump(tmp_path / "again.db") == dump(ledger)


def test_what_a_cap_of_1_gb_would_have_cost_the_sponsor(ledger, tmp_path):
    # Before: China Mobile 2,000 MB at 0.10 = 200.00, and 900 octets in December = 0.00; China Unicom 1,000 MB at 0.10 and
    # 1,000 at 0.08 = 180.00. With 1 GB: 1,000 MB at 0.10 = 100.00 each. Without the WeChat card its 300 MB are charged.
    (tmp_path / "programmes").mkdir()
    capped = with_tariff().replace("2_000_000_000", "1_000_000_000")
    (tmp_path / "programmes" / "alibaba-free-flow.toml").write_text(capped)
    result = rerated(ledger, load_programmes(tmp_path, KNOWN), tmp_path / "capped.db")
    assert result.before.carried == {"alibaba-free-flow": 4_000_000_900, "wechat-card": 300_000_000}
    assert result.after.carried == {"alibaba-free-flow": 2_000_000_900}
    assert result.before.owed == {"alibaba-free-flow": {"CNY": Decimal("380.00")}}
    assert result.after.owed == {"alibaba-free-flow": {"CNY": Decimal("200.00")}}
    assert result.gone == ("wechat-card",)
    assert sum(result.before.octets.values()) == sum(result.after.octets.values())
    assert parts_of(tmp_path / "capped.db") == {
        "lin": (1_000_000_900, 0, 1_100_000_000),
        "qian": (1_000_000_000, 0, 1_000_000_001 + 1000 + 800),
        "mei": (0, 0, 310_000_000),
    }
    assert paid_of(tmp_path / "capped.db") == {
        ("2013-11", "alibaba-free-flow", "china-mobile"): 1_000_000_000,
        ("2013-11", "alibaba-free-flow", "china-unicom"): 1_000_000_000,
        ("2013-12", "alibaba-free-flow", "china-mobile"): 900,
    }
    assert used_of(tmp_path / "capped.db") == {
        ("lin", "alibaba-free-flow", 0, "2013-11-01 00:00"): 1_000_000_000,
        ("qian", "alibaba-free-flow", 0, "2013-11-01 00:00"): 1_000_000_000,
        ("lin", "alibaba-free-flow", 0, "2013-12-01 00:00"): 900,
    }


def test_a_new_ledger_takes_no_files_place_and_leaves_nothing_behind(ledger, tmp_path):
    (tmp_path / "kept.db").write_text("mine")
    with pytest.raises(LedgerError, match=r"kept.db: is there already; name a new file"):
        rerated(ledger, None, tmp_path / "kept.db")

    def fails(path):
        with new_ledger(path):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails(tmp_path / "new.db")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.db"]
    assert (tmp_path / "kept.db").read_text() == "mine"
