"""How much of a capture named after an application each of two meters gives to it: freeflow, and nDPI's own reader.

`python -m benches.applications` prints the table of benches/README.md; it needs the shared captures and `ndpiReader`. Octets
are IP octets for freeflow and frames for ndpiReader, so shares are compared and not sums. It is a look, not a score: who
gives more to an application may only guess more (the difference is explained beside the table).
"""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benches.captures import SHARED_CAPTURES
from classifier.gateway.plan import load_plan
from classifier.gateway.replay import list_flows

# capture, freeflow's applications, words in nDPI's names for the same
CAPTURES = (
    ("ndpi/default/pcap/dingtalk.pcap", ("dingtalk",), ("DingTalk",)),
    ("ndpi/default/pcap/facebook.pcap", ("facebook", "messenger"), ("Facebook", "Messenger")),
    ("ndpi/default/pcap/google_chat.pcapng", ("google",), ("Google", "Hangout")),
    ("ndpi/default/pcap/instagram.pcap", ("instagram", "facebook"), ("Instagram", "Facebook")),
    ("ndpi/default/pcap/netflix.pcap", ("netflix",), ("NetFlix",)),
    ("ndpi/default/pcap/telegram.pcap", ("telegram",), ("Telegram",)),
    ("ndpi/default/pcap/wechat.pcap", ("wechat", "qq"), ("WeChat", "QQ")),
    ("ndpi/default/pcap/whatsapp.pcap", ("whatsapp",), ("WhatsApp",)),
    ("ndpi/default/pcap/whatsappfiles.pcap", ("whatsapp",), ("WhatsApp",)),
    ("ndpi/default/pcap/whatsapp_login_chat.pcap", ("whatsapp",), ("WhatsApp",)),
    ("ndpi/default/pcap/youtube_quic.pcap", ("youtube", "google"), ("YouTube", "Google")),
    ("ndpi/default/pcap/youtubeupload.pcap", ("youtube", "google"), ("YouTube", "Google")),
    ("zeek/wikipedia.pcap", ("wikipedia",), ("Wikipedia",)),
)


def own_octets(path: Path) -> Counter[tuple[str, str]]:
    """IP octets by application and evidence, of subscribers and of strangers."""
    octets: Counter[tuple[str, str]] = Counter()
    for flow in list_flows([str(path)], load_plan(None)):
        octets[flow.application, flow.evidence] += flow.uplink_octets + flow.downlink_octets
    return octets


def peer_octets(path: Path) -> Counter[str]:
    """Octets of frames by nDPI's name of the protocol."""
    octets: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder, "flows.csv")
        subprocess.run(
            ["ndpiReader", "-q", "-i", str(path), "-C", str(table)], stdout=subprocess.DEVNULL, timeout=60, check=True
        )
        with table.open(encoding="utf-8", errors="replace") as file:
            for row in csv.DictReader(file):
                octets[row["ndpi_proto"]] += int(row["c_to_s_bytes"]) + int(row["s_to_c_bytes"])
    return octets


def main() -> int:
    """Print the table."""
    if not SHARED_CAPTURES.is_dir():
        print("the shared captures are not there", file=sys.stderr)
        return 1
    print("| capture | application | freeflow | of it verified | ndpiReader | the rest for freeflow |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, applications, words in CAPTURES:
        own, peer = own_octets(SHARED_CAPTURES / name), peer_octets(SHARED_CAPTURES / name)
        total = own.total() or 1
        given = sum(count for (application, _), count in own.items() if application in applications)
        verified = sum(own[application, "verified"] for application in applications)
        theirs = sum(count for protocol, count in peer.items() if any(word in protocol for word in words))
        rest: Counter[str] = Counter()
        for (application, evidence), count in own.items():
            if application not in applications:
                rest[f"{application} ({evidence})"] += count
        others = ", ".join(
            f"{what} {count / total:.0%}" for what, count in rest.most_common(3) if count / total >= 0.01
        )
        shares = f"{given / total:.1%} | {verified / total:.1%} | {theirs / (peer.total() or 1):.1%}"
        print(f"| {name.rsplit('/', 1)[-1]} | {', '.join(applications)} | {shares} | {others} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
