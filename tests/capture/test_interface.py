"""Finding an interface: what is there is described, what cannot be captured from is refused with the mend."""

from __future__ import annotations

import subprocess
import sys

import pytest
from namespaces import namespace_pair

from classifier.capture.interface import Interface, be_quiet, find_interface
from classifier.errors import InterfaceError

pytestmark = pytest.mark.namespaces


@pytest.fixture(scope="module")
def pair():
    with namespace_pair() as namespaces:
        yield namespaces


def refusal(name: str, **options) -> str:
    with pytest.raises(InterfaceError) as refused:
        find_interface(name, **options)
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_a_link_is_described_as_ip_describes_it(pair):
    pair.left.run(["ip", "link", "set", pair.left.interface, "mtu", "1400"])
    shown = pair.left.run(["ip", "-o", "link", "show", pair.left.interface]).stdout
    with pair.left.entered():
        interface = find_interface(pair.left.interface)
    assert interface == Interface(int(shown.split(":")[0]), pair.left.interface, 1400, True, "veth")
    assert not interface.is_loopback


def test_loopback_can_be_captured_from(pair):
    with pair.left.entered():
        assert find_interface("lo").is_loopback


def test_an_unknown_name_is_answered_with_the_names_there_are(pair):
    with pair.left.entered():
        message = refusal("eth77")
    assert "eth77" in message
    assert f"there are {pair.left.interface}, lo" in message


def test_a_link_that_is_down_is_refused_or_brought_up(pair):
    pair.left.run(["ip", "link", "add", "ffdown", "type", "veth", "peer", "name", "ffpeer"])
    with pair.left.entered():
        assert "ip link set ffdown up" in refusal("ffdown")
        assert find_interface("ffdown", bring_up=True).up
    assert ",UP" in pair.left.run(["ip", "-o", "link", "show", "ffdown"]).stdout


def test_a_link_without_ethernet_frames_is_refused(pair):
    made = subprocess.run(
        pair.left.command(["ip", "tuntap", "add", "dev", "fftun", "mode", "tun"]), capture_output=True
    )
    if made.returncode:
        pytest.skip(f"no tun devices here: {made.stderr.decode().strip()}")
    pair.left.run(["ip", "link", "set", "fftun", "up"])
    with pair.left.entered():
        assert "not an Ethernet interface" in refusal("fftun")


def test_pyroute2_is_not_loaded_before_an_interface_is_looked_for():
    code = "import sys, classifier.capture.ring, classifier.capture.files; print('pyroute2' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert shown.stdout.strip() == "False"


def test_an_interface_that_cannot_be_made_quiet_is_told_of(tmp_path, monkeypatch):
    """Not where Linux has no IPv6 at all; a folder in the file's place stands for a setting that cannot be written."""
    monkeypatch.setattr("classifier.capture.interface.IPV6_SETTINGS", tmp_path)
    said: list[str] = []
    be_quiet("eth7", said.append)
    assert said == []
    (tmp_path / "eth7" / "disable_ipv6").mkdir(parents=True)
    be_quiet("eth7", said.append)
    (line,) = said
    assert "eth7: IPv6 stays on (Is a directory)" in line
    assert "net.ipv6.conf.eth7.disable_ipv6=1" in line
