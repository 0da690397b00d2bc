"""Projects that the model must never see: the retrieval benchmarks ask about them.

Names as the registries have them, lower case; a package that vendors one of these is judged by the folder's name too.
"""

PYTHON_FIRST = ("django", "sympy", "requests", "flask")
"""The first Python docstring set, with the standard library."""
PYTHON_SECOND = ("networkx", "tornado", "sqlalchemy", "httpx", "rich", "pydantic", "jinja2", "trio")
"""The second one."""
JAVASCRIPT = (
    "lodash", "underscore", "async", "jquery", "moment", "d3-array", "d3-scale", "immutable", "mathjs", "ramda",
    "chart.js", "express", "yargs", "commander", "webpack", "eslint", "three", "video.js", "leaflet", "fabric",
)  # fmt: skip
"""The JavaScript docstring set."""
TUNING = (
    "flask", "requests", "express", "cobra", "gson", "monolog", "rack", "ktor", "alamofire", "click", "serde", "zod",
    "dapper", "plug", "fmt", "fmtlib", "libuv", "lazy.nvim", "nvm", "xmonad", "zig-clap",
)  # fmt: skip
"""The repositories of the code-search tuning set."""
QUESTIONS = ("django", "ansible", "ansible-core")
"""The repositories of the hand-written questions, and of the indexing benchmark."""

HELD_OUT = frozenset((*PYTHON_FIRST, *PYTHON_SECOND, *JAVASCRIPT, *TUNING, *QUESTIONS))
