"""Makes `lucastrad serve` of the processes that tests start serve fakes: everything else is the real thing."""

import os
import sys
from types import ModuleType
from typing import Any


async def _run(paths: Any, *, tcp: bool, idle_exit_minutes: float | None, offline: bool) -> int:
    from fakes import Fakes
    from lucastra_protocol.errors import ErrorCode, LucAstraError

    from lucastrad.server.daemon import serve_clients
    from lucastrad.storage.lock import own_store

    if "LUCASTRA_TEST_BROKEN" in os.environ:
        raise LucAstraError("the test's store is broken; mend it", code=ErrorCode.STORE_UNAVAILABLE)
    with own_store(paths.lock):
        with (paths.home / "starts").open("a") as starts:
            starts.write(f"{os.getpid()}\n")
        await serve_clients(
            Fakes(home=paths.home).services(), paths, tcp=tcp, idle_exit_seconds=(idle_exit_minutes or 0) * 60
        )
    return 0


_app: Any = ModuleType("lucastrad.app")
_app.run = _run
sys.modules["lucastrad.app"] = _app
