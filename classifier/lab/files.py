"""What the lab configures freeflow with: `freeflow.toml`, `subscribers.csv`, and offers worth looking at.

Rules of this file: the offers are made up after those of 2010 to 2013 that ship with freeflow, with figures that fit a minute:
an allowance small enough to be used up while one looks on.
"""

from __future__ import annotations

from pathlib import Path

from classifier.lab.topology import MEMBERS, RESOLVERS, SUBSCRIBER_NETWORKS

CONFIGURATION, SUBSCRIBERS, SIGNATURES = "freeflow.toml", "subscribers.csv", "signatures"
ALLOWANCE_OCTETS = 250_000
_JOINED = "2013-06-01"
_ENROLLED = "2013-11-01"

PROGRAMMES = {
    "facebook-zero": """\
# The operator waives what its subscribers use.
name = "facebook-zero"
payer = "operator"
applications = ["facebook"]
starts = 2013-01-01
rate_percent = 0
eligible = [{ operator = "china-mobile" }]
enrolment = "automatic"
""",
    "alibaba-free-flow": f"""\
# Alibaba pays for its shops, for those in Guangdong who signed up, and for little, so that one sees it end.
name = "alibaba-free-flow"
payer = "alibaba"
applications = ["taobao", "tmall", "juhuasuan", "alipay", "laiwang"]
starts = 2013-11-01
rate_percent = 0
allowance = {{ octets = {ALLOWANCE_OCTETS:_}, per = "month" }}
eligible = [{{ operator = "china-mobile", province = "guangdong" }}]
enrolment = "required"

[tariff]
currency = "CNY"
per_megabyte = "0.10"
""",
    "yixin-telecom": """\
# Yixin is free on one operator, who owes nobody …
name = "yixin-telecom"
payer = "operator"
applications = ["yixin"]
starts = 2013-08-19
rate_percent = 0
eligible = [{ operator = "china-telecom" }]
enrolment = "automatic"
""",
    "yixin-mobile-unicom": """\
# … and sponsored by the Yixin company on the other.
name = "yixin-mobile-unicom"
payer = "yixin"
applications = ["yixin"]
starts = 2013-11-08
rate_percent = 0
eligible = [{ operator = "china-mobile" }]
enrolment = "automatic"

[tariff]
currency = "CNY"
per_megabyte = "0.08"
""",
}


def write_files(folder: Path) -> Path:
    """Write all of them; the configuration's path."""
    programmes = folder / SIGNATURES / "programmes"
    programmes.mkdir(parents=True)
    for name, text in PROGRAMMES.items():
        (programmes / f"{name}.toml").write_text(text)
    (folder / SUBSCRIBERS).write_text(_subscribers())
    path = folder / CONFIGURATION
    path.write_text(_configuration())
    return path


def _configuration() -> str:
    return f"""\
[gateway]
name = "freeflow-lab"
timezone = "Asia/Shanghai"
subscriber_networks = [{_quoted(SUBSCRIBER_NETWORKS)}]
trusted_resolvers = [{_quoted(RESOLVERS)}]
subscribers = "{SUBSCRIBERS}"
signatures = ["builtin", "{SIGNATURES}"]
interval_seconds = 5
"""


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f'"{word}"' for word in words)


def _subscribers() -> str:
    lines = ["subscriber,address,operator,province,plan,joined,enrolled"]
    for member in MEMBERS:
        enrolled = f"{member.enrolled}={_ENROLLED}" if member.enrolled else ""
        for address in (member.address, member.prefix):
            columns = (member.name, address, member.operator, member.province, member.plan, _JOINED, enrolled)
            lines.append(",".join(columns))
    return "\n".join(lines) + "\n"
