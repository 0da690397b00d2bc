"""What results look like: plain, JSON and on a terminal."""

import io
import json
from pathlib import Path

import msgspec
import pytest
from fake_daemon import hit, workspace
from lucastra_client.rendering import View, renderer, reports
from lucastra_client.rendering.document import DocumentRenderer
from lucastra_client.rendering.human import HumanRenderer
from lucastra_client.rendering.plain import PlainRenderer
from lucastra_client.rendering.text import duration, printable, printable_line, size
from lucastra_protocol import types as wire
from rich.console import Console

CWD = Path("/projects/project")
HOSTILE = "\x1b[31mred\x1b]8;;http://evil\x07 \u202egnissap\r\x9b2J\x7f[bold]not markup[/bold]"


def plain(result: wire.SearchResult | wire.AskResult | reports.Report, view: View | None = None) -> str:
    out = io.StringIO()
    _show(PlainRenderer(out, view or View(CWD)), result)
    return out.getvalue()


def human(result: wire.SearchResult | wire.AskResult | reports.Report, view: View | None = None) -> str:
    out = io.StringIO()
    console = Console(
        file=out, force_terminal=True, color_system="truecolor", width=80, highlight=False, legacy_windows=False,
        _environ={},
    )  # fmt: skip
    _show(HumanRenderer(console, view or View(CWD)), result)
    return out.getvalue()


def document(result: wire.SearchResult | wire.AskResult | reports.Report, view: View | None = None) -> object:
    out = io.StringIO()
    _show(DocumentRenderer(out, view or View(CWD)), result)
    return json.loads(out.getvalue())


def _show(
    to: PlainRenderer | HumanRenderer | DocumentRenderer, result: wire.SearchResult | wire.AskResult | reports.Report
) -> None:
    if isinstance(result, wire.SearchResult):
        to.search("the query", result)
    elif isinstance(result, wire.AskResult):
        to.answer("the question", result)
    else:
        to.report(result)


# --- plain ---------------------------------------------------------------------------------------


def test_plain_hits_are_a_place_a_symbol_and_a_score_over_the_passage() -> None:
    text = plain(wire.SearchResult(hits=[hit(), hit("README.md", symbol="", content="# Project\n", score=0.25)]))
    assert text == (
        "src/app.py:10-11  main  0.5\n"
        "    def main():\n"
        "        run()\n"
        "\n"
        "README.md:10-11  -  0.25\n"
        "    # Project\n"
    )  # fmt: skip


def test_a_long_passage_shows_its_first_lines_unless_all_are_asked_for() -> None:
    result = wire.SearchResult(hits=[hit(content="\n".join(f"line {n}" for n in range(1, 12)))])
    assert plain(result).splitlines()[8:] == ["    line 8", "    … 3 more lines"]
    assert plain(result, View(CWD, full=True)).splitlines()[-1] == "    line 11"


@pytest.mark.parametrize(
    ("cwd", "expected"),
    [
        ("/projects/project", "src/app.py"),
        ("/projects/project/docs", "../src/app.py"),
        ("/projects", "project/src/app.py"),
        ("/elsewhere", "/projects/project/src/app.py"),
    ],
)
def test_paths_are_those_one_would_type_where_one_stands(cwd: str, expected: str) -> None:
    assert plain(wire.SearchResult(hits=[hit()]), View(Path(cwd))).startswith(f"{expected}:10-11  ")


def test_explain_shows_what_the_score_is_made_of_largest_first() -> None:
    found = hit(components={"keyword": 0.1, "vector": 0.4})
    assert "    score: vector 0.4, keyword 0.1\n" in plain(wire.SearchResult(hits=[found]), View(CWD, explain=True))


def test_an_answer_stands_over_its_citations() -> None:
    answer = wire.AskResult(answer="It runs [1].\n", citations=[wire.Citation(number=1, hit=hit())])
    assert plain(answer) == "It runs [1].\n\n[1] src/app.py:10-11  main  0.5\n"


def test_without_a_provider_the_cited_passages_are_the_answer() -> None:
    answer = wire.AskResult(citations=[wire.Citation(number=1, hit=hit()), wire.Citation(number=2, hit=hit("b.py"))])
    assert plain(answer).splitlines() == [
        "[1] src/app.py:10-11  main  0.5",
        "    def main():",
        "        run()",
        "[2] b.py:10-11  main  0.5",
        "    def main():",
        "        run()",
    ]


def test_plain_tables_are_tab_separated_under_their_titles() -> None:
    listed = wire.FilesResult(
        files=[wire.FileStatus(path="a b.py", status="skipped", reason="binary")], total=1
    )  # fmt: skip
    assert plain(reports.files(listed)) == "status\tfile\tlanguage\tchunks\treason\nskipped\ta b.py\t\t0\tbinary\n"


# --- JSON ----------------------------------------------------------------------------------------


def test_a_json_hit_has_exactly_the_documented_fields() -> None:
    found = document(wire.SearchResult(hits=[hit()], freshness="stale", elapsed_ms=1.5, notices=["n"]))
    assert found == {
        "query": "the query",
        "hits": [
            {
                "file_path": "/projects/project/src/app.py",
                "start_line": 10,
                "end_line": 11,
                "content": "def main():\n    run()\n",
                "score": 0.5,
                "language": "python",
                "symbol": "main",
                "unsaved": False,
            }
        ],
        "freshness": "stale",
        "elapsed_ms": 1.5,
        "notices": ["n"],
    }


def test_a_hit_in_an_unsaved_buffer_is_marked() -> None:
    unsaved = msgspec.structs.replace(hit(), unsaved=True)
    assert plain(wire.SearchResult(hits=[unsaved])).splitlines()[0] == "src/app.py:10-11  main  0.5  unsaved"


def test_explain_adds_kind_workspace_and_components_to_a_json_hit() -> None:
    result = document(wire.SearchResult(hits=[hit(components={"vector": 1.0})]), View(CWD, explain=True))
    assert isinstance(result, dict)
    assert result["hits"][0].items() >= {"kind": "function", "workspace": "/projects/project"}.items()
    assert result["hits"][0]["components"] == {"vector": 1.0}


def test_a_json_answer_numbers_its_citations() -> None:
    result = document(wire.AskResult(citations=[wire.Citation(number=1, hit=hit())]))
    assert isinstance(result, dict)
    assert result["answer"] is None
    assert (result["citations"][0]["number"], result["citations"][0]["symbol"]) == (1, "main")


def test_reports_have_every_field_in_snake_case_defaults_too() -> None:
    indexed = wire.IndexResult(workspace=workspace("/w"))
    result = document(reports.index(indexed))
    assert isinstance(result, dict)
    assert result["indexed_files"] == 0
    assert result["workspace"].items() >= {"root": "/w", "last_indexed_at": None, "problems": []}.items()


def test_json_keeps_the_content_but_no_byte_that_a_terminal_obeys() -> None:
    out = io.StringIO()
    DocumentRenderer(out, View(CWD)).search("q", wire.SearchResult(hits=[hit(content=HOSTILE)]))
    assert json.loads(out.getvalue())["hits"][0]["content"] == HOSTILE
    assert not _unsafe_characters(out.getvalue())


def test_json_is_ascii_where_the_output_is_not_utf8() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="latin-1", errors="replace")
    DocumentRenderer(out, View(CWD)).search("→", wire.SearchResult())
    out.flush()
    assert json.loads(raw.getvalue())["query"] == "→"


# --- terminal ------------------------------------------------------------------------------------


def test_on_a_terminal_the_place_is_a_link_and_lines_are_numbered() -> None:
    text = human(wire.SearchResult(hits=[hit()]))
    assert "file:///projects/project/src/app.py#10" in text
    visible = _without_escapes(text).splitlines()
    assert visible[0] == "src/app.py:10-11  main  function  0.5"
    assert [line.rstrip() for line in visible[1:]] == ["  10 def main():", "  11     run()"]


def test_a_long_path_is_not_broken_over_lines() -> None:
    path = "/".join(["directory"] * 20) + "/file.py"
    assert _without_escapes(human(wire.SearchResult(hits=[hit(path)]))).splitlines()[0].startswith(f"{path}:10-11")


def test_an_answer_is_markdown_whose_links_cannot_be_clicked() -> None:
    text = human(wire.AskResult(answer="**Yes** [here](http://evil.example) `run`"))
    assert "\x1b]8;" not in text
    assert "**" not in text


def test_a_language_without_a_lexer_is_shown_as_it_is() -> None:
    found = wire.Hit(
        uri="file:///w/a.zz", path="a.zz", workspace="/w", range=wire.Range.of_lines(1, 1), content="zz top",
        score=1.0, language="no-such-language",
    )  # fmt: skip
    assert "zz top" in _without_escapes(human(wire.SearchResult(hits=[found])))


def test_status_on_a_terminal_names_every_workspace_and_problem() -> None:
    status = wire.StatusResult(
        daemon_version="1.1.0", pid=42, uptime_seconds=3700, home="/h", memory_bytes=150 * 2**20, clients=2,
        embeddings=wire.ModelStatus(provider="local", model="m", dimensions=256),
        workspaces=[workspace("/projects/project", freshness="stale", problems=["watching by polling"])],
    )  # fmt: skip
    for text in (plain(reports.status(status)), _without_escapes(human(reports.status(status)))):
        assert "up 1 h 01 min" in text
        assert "150.0 MiB" in text
        assert "ready (stale)" in text
        assert "problem: /projects/project: watching by polling" in text


def test_status_tells_what_became_of_completions_of_the_models_used_last() -> None:
    def count(model: str, language: str, **numbers: int) -> wire.CompletionCount:
        return wire.CompletionCount(provider="llm", model=model, language=language, **numbers)

    counts = [
        count("coder", "python", offered=40, shown=30, accepted=9, partially_accepted=2),
        count("", "python", offered=1),
        count("coder", "lua", offered=2, shown=1, accepted=1),
        count("old", "c", offered=1),
        count("older", "c", offered=1),
    ]
    result = wire.StatusResult(
        daemon_version="1", pid=1, uptime_seconds=1, home="/h", memory_bytes=1, clients=1, completions=counts,
        embeddings=wire.ModelStatus(provider="local", model="b", dimensions=8),
    )  # fmt: skip
    lines = [line.split(maxsplit=1) for line in plain(reports.status(result)).splitlines()]
    assert [rest for name, rest in lines if name.startswith("completions")] == [
        "llm coder: 42 offered, 31 shown, 10 accepted, 2 in part",
        "llm: 1 offered, 0 shown, 0 accepted",
        "llm old: 1 offered, 0 shown, 0 accepted",
    ]
    assert "completions" not in plain(_status_of(workspace("/projects/project")))


def test_status_tells_what_goes_on_without_calling_it_a_problem() -> None:
    entry = workspace("/projects/project", notices=["vectors of b replace those of a: 3 of 12"])
    for report in (reports.workspaces(wire.WorkspacesResult(workspaces=[entry])), _status_of(entry)):
        assert plain(report).splitlines()[-1] == "/projects/project: vectors of b replace those of a: 3 of 12"
        assert "problem" not in plain(report)


def _status_of(entry: wire.WorkspaceStatus) -> reports.Report:
    model = wire.ModelStatus(provider="local", model="b", dimensions=8)
    return reports.status(
        wire.StatusResult(
            daemon_version="1", pid=1, uptime_seconds=1, home="/h", memory_bytes=1, clients=1, embeddings=model,
            workspaces=[entry],
        )
    )  # fmt: skip


# --- text of others ------------------------------------------------------------------------------


@pytest.mark.parametrize("show", [plain, human])
def test_nothing_in_an_indexed_file_reaches_the_terminal_as_a_command(show) -> None:  # type: ignore[no-untyped-def]
    found = hit(f"{HOSTILE}\n.py", content=HOSTILE, symbol=HOSTILE)
    answer = wire.AskResult(answer=HOSTILE, citations=[wire.Citation(number=1, hit=found)])
    text = show(wire.SearchResult(hits=[found])) + show(answer)
    assert "[bold]not markup[/bold]" in _without_escapes(text)
    assert not _unsafe_characters(_without_escapes(text))
    assert "http://evil\x07" not in text
    assert "\x1b[31mred" not in text


def test_printable_text_keeps_newlines_tabs_and_every_script() -> None:
    assert printable("a\tb\r\nc\n日本語 עברית 🙂") == "a\tb\nc\n日本語 עברית 🙂"
    assert printable("\x1b\x7f\x85\u2028\udcff\r") == "␛␡���␍"
    assert printable_line("a\nb\tc") == "a␊b␉c"


def test_amounts_are_for_people() -> None:
    assert [size(n) for n in (0, 1023, 1536, 5 * 2**30)] == ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]
    assert [duration(s) for s in (0.04, 9.96, 59.4, 185, 7810, 356_000)] == [
        "0.0 s", "10.0 s", "59 s", "3 min 05 s", "2 h 10 min", "4 d 02 h",
    ]  # fmt: skip


def test_the_renderer_follows_the_output_and_the_options() -> None:
    pipe = io.StringIO()
    terminal = _Terminal()
    view = View(CWD)
    assert isinstance(renderer(pipe, view, json=False, color="auto"), PlainRenderer)
    assert isinstance(renderer(terminal, view, json=False, color="auto"), HumanRenderer)
    assert isinstance(renderer(pipe, view, json=False, color="always"), HumanRenderer)
    assert isinstance(renderer(terminal, view, json=True, color="always"), DocumentRenderer)


def test_never_and_no_color_show_a_terminal_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    without = _Terminal()
    renderer(without, View(CWD), json=False, color="never").search("q", wire.SearchResult(hits=[hit()]))
    assert "\x1b" not in without.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    no_color = _Terminal()
    renderer(no_color, View(CWD), json=False, color="auto").search("q", wire.SearchResult(hits=[hit()]))
    assert "\x1b[3" not in no_color.getvalue().replace("\x1b[3m", "")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _without_escapes(text: str) -> str:
    from rich.text import Text

    return Text.from_ansi(text).plain if "\x1b" in text else text


def _unsafe_characters(text: str) -> list[str]:
    return [c for c in text if (ord(c) < 32 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2028"]
