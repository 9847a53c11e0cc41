"""What systemd is told, read from a socket of the test's own."""

from __future__ import annotations

import os
import socket

import pytest

from classifier.capture.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path):
    """(the socket, the environment that names it)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        name = f"freeflow-test-{os.getpid()}"
        address = str(tmp_path / "notify") if request.param == "path" else f"\0{name}"
        listener.bind(address)
        listener.settimeout(5)
        yield listener, {"NOTIFY_SOCKET": address.replace("\0", "@"), "WATCHDOG_USEC": "20000000"}


def test_each_state_is_one_datagram(systemd):
    listener, environment = systemd
    notifier = Notifier(environment)
    assert notifier.listens
    assert not Notifier({}).listens
    notifier.ready("up")
    notifier.reloading()
    notifier.status("7 frames")
    notifier.stopping()
    told = [dict(line.split("=", 1) for line in listener.recv(4096).decode().splitlines()) for _ in range(4)]
    assert told[0] == {"READY": "1", "STATUS": "up"}
    assert told[1]["RELOADING"] == "1"
    assert int(told[1]["MONOTONIC_USEC"]) > 0
    assert told[2] == {"STATUS": "7 frames"}
    assert told[3]["STOPPING"] == "1"


def test_the_watchdog_hears_of_the_loop_at_half_of_its_time_and_not_more_often(systemd):
    listener, environment = systemd
    notifier = Notifier({**environment, "WATCHDOG_PID": str(os.getpid())})
    assert notifier.watchdog_s == 20
    for _ in range(1000):
        notifier.alive()
    assert listener.recv(100) == b"WATCHDOG=1"
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.recv(100)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"NOTIFY_SOCKET": "relative"},
        {"NOTIFY_SOCKET": "/nowhere/notify"},
        {"NOTIFY_SOCKET": "/nowhere/notify", "WATCHDOG_USEC": "soon"},
        {"NOTIFY_SOCKET": "/nowhere/notify", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},
    ],
)
def test_without_a_socket_or_a_watchdog_nothing_is_told_and_nothing_fails(environment):
    notifier = Notifier(environment)
    assert notifier.watchdog_s is None
    notifier.ready("up")
    notifier.alive()
