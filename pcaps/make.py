"""Makes the bundled captures and their manifest: `python pcaps/make.py [FOLDER]`, or `make pcaps`.

Rules of this file: the same octets come out each time; a capture stays under 200 KB, all of them under 1 MB. The
TLS octets are those of the OpenSSL that Python came with, which the manifest names: with another version they may
differ, and then captures and manifest are rewritten together.
"""

from __future__ import annotations

import json
import ssl
import sys
from pathlib import Path

import day
import scapy
import scenes_layers
import scenes_names
import scenes_network
import scenes_odds
from tls_bytes import seed_openssl

CAPTURE_LIMIT_OCTETS = 200_000
TOTAL_LIMIT_OCTETS = 1_000_000


def main(folder: Path) -> int:
    if not seed_openssl():
        print(
            "this Python hides its OpenSSL: the lengths are the same, the TLS octets differ each time", file=sys.stderr
        )
    scenes = (*day.SCENES, *scenes_names.SCENES, *scenes_layers.SCENES, *scenes_network.SCENES, *scenes_odds.SCENES)
    manifest: dict = {
        "made_with": {
            "openssl": ssl.OPENSSL_VERSION,
            "ciphers": len(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).get_ciphers()),  # who built Python chose them
            "scapy": scapy.__version__,
        },
        "captures": {},
    }
    total_octets = 0
    for make in scenes:
        capture = make()
        octets = capture.octets()
        total_octets += len(octets)
        if len(octets) > CAPTURE_LIMIT_OCTETS or total_octets > TOTAL_LIMIT_OCTETS:
            print(
                f"{capture.file}: {len(octets)} octets, {total_octets} with those before it: too large", file=sys.stderr
            )
            return 1
        (folder / capture.file).write_bytes(octets)
        manifest["captures"][capture.file] = capture.expectation()
        print(f"{capture.file:44} {len(octets):7} octets  {len(capture.entries):5} frames")
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent))
