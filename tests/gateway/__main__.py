"""The test gateway by hand: `python -m tests.gateway --port 9000 --behaviour http_500`, until Ctrl-C."""

from __future__ import annotations

import argparse
import threading

from tests.gateway import server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9000)
    names = ["ok", "http_500", "http_401", "http_429", "hang", "drip", "reset", "html", "disconnected"]
    parser.add_argument("--behaviour", choices=names, default="ok")
    options = parser.parse_args()
    with server.GatewayServer(port=options.port) as gateway:
        gateway.always(getattr(server, options.behaviour)())
        print(gateway.url, flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"{len(gateway.sends)} sends, {len(gateway.accepted)} accepted")


if __name__ == "__main__":
    main()
