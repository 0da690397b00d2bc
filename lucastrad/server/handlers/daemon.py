"""`lucastra/hello`, `lucastra/status`, `lucastra/config`, `lucastra/doctor` and `lucastra/stop`."""

import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lucastra_protocol.types import (
    CONFIG,
    DOCTOR,
    HELLO,
    STATUS,
    STOP,
    Check,
    ConfigParams,
    ConfigResult,
    DoctorResult,
    Empty,
    HelloParams,
    HelloResult,
    ModelStatus,
    StatusResult,
)
from lucastra_protocol.version import PROTOCOL_VERSION, __version__

from lucastrad.server.handlers.wire import (
    completion_count_to_wire,
    path_from_wire,
    text_to_wire,
    workspace_to_wire,
)

if TYPE_CHECKING:
    from lucastrad.server.session import Session


def hello(session: "Session", params: HelloParams) -> HelloResult:
    """Open a session."""
    session.greet(params)
    return HelloResult(
        daemon_version=__version__,
        protocol_version=PROTOCOL_VERSION,
        pid=os.getpid(),
        uptime_seconds=session.lifetime.uptime_seconds,
        home=text_to_wire(str(session.services.home)),
    )


async def status(session: "Session", params: Empty) -> StatusResult:
    """Tell the daemon's state."""
    services = session.services
    space = services.embeddings.space
    return StatusResult(
        daemon_version=__version__,
        pid=os.getpid(),
        uptime_seconds=session.lifetime.uptime_seconds,
        home=text_to_wire(str(services.home)),
        memory_bytes=resident_bytes(),
        clients=session.lifetime.clients,
        embeddings=ModelStatus(provider=space.provider, model=space.model, dimensions=space.dimensions),
        provider=services.providers.default,
        workspaces=[workspace_to_wire(report) for report in await services.workspaces.reports()],
        completions=[completion_count_to_wire(count) for count in services.completion.counted()],
        problems=[
            text_to_wire(problem)
            for problem in [*services.embeddings.problems, *services.settings.report(None).problems]
        ],
    )


def config(session: "Session", params: ConfigParams) -> ConfigResult:
    """Tell the configuration in force."""
    folder = None if params.path is None else path_from_wire(params.path, field="path")
    report = session.services.settings.report(folder)
    return ConfigResult(config=report.config, origins=report.origins, problems=report.problems)


async def doctor(session: "Session", params: Empty) -> DoctorResult:
    """Examine the installation."""
    return DoctorResult(
        checks=[
            Check(
                name=check.name,
                status=check.status.value,
                detail=text_to_wire(check.detail),
                cure=text_to_wire(check.cure),
            )
            for check in await session.services.checks.doctor()
        ]
    )


def stop(session: "Session", params: Empty) -> Empty:
    """Stop the daemon; the reply goes out before any session is closed."""
    session.lifetime.stop("a client asked")
    return Empty()


def resident_bytes() -> int:
    """This process's resident memory; its peak where the system does not tell the present."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


HANDLERS: dict[str, Callable[..., Any]] = {
    HELLO.name: hello,
    STATUS.name: status,
    CONFIG.name: config,
    DOCTOR.name: doctor,
    STOP.name: stop,
}
