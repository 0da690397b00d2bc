"""Searching, asking and indexing from an editor that has no extension of ours."""

from pathlib import Path
from typing import Any

import pytest
import trio.testing
from fakes import Fakes, hit
from peer import Message, Peer, serving

from lucastrad.assistant.answers import Answer, Citation, Emit, Question
from lucastrad.types import IndexProgress, WorkspaceState

pytestmark = pytest.mark.trio

URI = "file:///projects/project/a.py"
FOLDER = {"uri": "file:///projects/project", "name": "project"}
SHOWS = {"window": {"showDocument": {"support": True}, "workDoneProgress": True}}


class Answering:
    """Answers, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[Question] = []

    async def answer(self, question: Question, emit: Emit) -> Answer:
        self.asked.append(question)
        return Answer("It loads the file [1].", (Citation(1, hit(text="x = ```\ny")),))


async def run(peer: Peer, command: str, *arguments: Any) -> Any:
    return await peer.ask("workspace/executeCommand", {"command": command, "arguments": list(arguments)})


async def refused(peer: Peer, command: str, *arguments: Any) -> Message:
    return await peer.fail("workspace/executeCommand", {"command": command, "arguments": list(arguments)})


async def shown(peer: Peer, *, success: bool = True) -> str:
    """The text of the file that the daemon has the editor open."""
    request = await peer.until_method("window/showDocument")
    await peer.send({"jsonrpc": "2.0", "id": request["id"], "result": {"success": success}})
    assert request["params"]["takeFocus"] is True
    return Path(request["params"]["uri"].removeprefix("file://")).read_text()


async def accept_progress(peer: Peer) -> None:
    request = await peer.until_method("window/workDoneProgress/create")
    await peer.send({"jsonrpc": "2.0", "id": request["id"], "result": None})


async def opened(peer: Peer, text: str, uri: str = URI) -> None:
    item = {"uri": uri, "languageId": "python", "version": 1, "text": text}
    await peer.notify("textDocument/didOpen", {"textDocument": item})


async def test_the_commands_are_announced() -> None:
    async with serving() as (peer, _):
        capabilities = (await peer.initialize())["capabilities"]
        assert capabilities["executeCommandProvider"]["commands"] == [
            "lucastra.search",
            "lucastra.ask",
            "lucastra.related",
            "lucastra.reindex",
            "lucastra.completion.accepted",
        ]
        assert capabilities["codeActionProvider"] == {"codeActionKinds": ["lucastra.explain", "lucastra.similar"]}


@pytest.mark.parametrize("argument", ["load config", {"query": "load config"}])
async def test_a_search_covers_the_editors_folders_and_opens_what_it_found(argument: Any, tmp_path: Path) -> None:
    fakes = Fakes(home=tmp_path)
    async with serving(fakes) as (peer, _):
        await peer.initialize(workspaceFolders=[FOLDER], capabilities={"window": {"showDocument": {"support": True}}})
        result = await run(peer, "lucastra.search", argument)
        assert result["hits"][0]["symbol"] == "load_config"
        page = await shown(peer)
    assert fakes.search.queries[0].folders == ("/projects/project",)
    assert page.startswith("# Found for: load config\n")
    assert "[/projects/project/src/config.py:3](file:///projects/project/src/config.py#L3)" in page
    assert "```python\ndef load_config(): ...\n```" in page
    assert "> two files wait" in page


async def test_nothing_is_shown_to_a_program_that_asks_for_the_result_only(tmp_path: Path) -> None:
    async with serving(Fakes(home=tmp_path)) as (peer, _):
        await peer.initialize(capabilities={"window": {"showDocument": {"support": True}}})
        await run(peer, "lucastra.search", {"query": "x", "show": False})
        await peer.ask("lucastra/status")
        assert [message for message in peer.received if "method" in message] == []
        assert not (tmp_path / "answers").exists()


async def test_an_editor_that_opens_no_files_is_told_where_the_answer_is(tmp_path: Path) -> None:
    async with serving(Fakes(home=tmp_path)) as (peer, _):
        await peer.initialize()
        await run(peer, "lucastra.search", "x")
        message = (await peer.until_method("window/showMessage"))["params"]["message"]
        assert Path(message.removeprefix("open ")).read_text().startswith("# Found for: x")


async def test_an_editor_that_fails_to_open_the_file_is_told_where_it_is(tmp_path: Path) -> None:
    async with serving(Fakes(home=tmp_path)) as (peer, _):
        await peer.initialize(capabilities={"window": {"showDocument": {"support": True}}})
        await run(peer, "lucastra.search", "x")
        await shown(peer, success=False)
        assert "open /" in (await peer.until_method("window/showMessage"))["params"]["message"]


async def test_finding_nothing_is_said_in_a_word() -> None:
    fakes = Fakes()
    fakes.search.hits = []
    async with serving(fakes) as (peer, _):
        await peer.initialize(capabilities=SHOWS)
        msg_id = await peer.start("workspace/executeCommand", {"command": "lucastra.related", "arguments": [
            {"path": URI, "line": 4}]})  # fmt: skip
        await accept_progress(peer)
        assert "result" in await peer.reply(msg_id)
        assert (await peer.until_method("window/showMessage"))["params"]["message"] == "no similar code found"
    assert fakes.search.places == [(Path("/projects/project/a.py"), 5)]


async def test_an_answer_is_shown_with_its_sources_and_its_progress(tmp_path: Path) -> None:
    answers = Answering()
    async with serving(Fakes(assistant=answers, home=tmp_path)) as (peer, _):
        await peer.initialize(capabilities=SHOWS)
        msg_id = await peer.start("workspace/executeCommand", {"command": "lucastra.ask", "arguments": ["where?"]})
        await accept_progress(peer)
        assert (await peer.reply(msg_id))["result"]["answer"] == "It loads the file [1]."
        page = await shown(peer)
        told = [message["params"]["value"] for message in peer.received if message.get("method") == "$/progress"]
    assert told == [{"kind": "begin", "title": "Answering", "cancellable": True}, {"kind": "end"}]
    assert page.startswith("# where?\n\nIt loads the file [1].\n\n## Sources\n\n[1] **load_config**")
    assert "````python\nx = ```\ny\n````" in page, "what is quoted must not end its own fence"


async def test_the_progress_goes_to_the_token_that_came_with_the_command() -> None:
    async with serving() as (peer, _):
        await peer.initialize(capabilities={"window": {"workDoneProgress": True}})
        params = {"command": "lucastra.search", "arguments": [{"query": "x", "show": False}], "workDoneToken": "mine"}
        await peer.ask("workspace/executeCommand", params)
        tokens = [message["params"]["token"] for message in peer.received if message.get("method") == "$/progress"]
        assert tokens == ["mine", "mine"]


async def test_cancelling_the_progress_of_an_answer_ends_it() -> None:
    fakes = Fakes()
    fakes.search.gate = trio.Event()
    async with serving(fakes) as (peer, _):
        await peer.initialize(capabilities=SHOWS)
        msg_id = await peer.start("workspace/executeCommand", {"command": "lucastra.search", "arguments": ["x"]})
        await accept_progress(peer)
        token = (await peer.until_method("$/progress"))["params"]["token"]
        await peer.notify("window/workDoneProgress/cancel", {"token": token})
        assert (await peer.reply(msg_id))["error"]["code"] == -32800
    assert fakes.search.cancelled == 1


async def test_an_editor_that_refuses_progress_gets_its_answer_all_the_same() -> None:
    async with serving() as (peer, _):
        await peer.initialize(capabilities={"window": {"workDoneProgress": True}})
        arguments = [{"query": "x", "show": False}]
        msg_id = await peer.start("workspace/executeCommand", {"command": "lucastra.search", "arguments": arguments})
        request = await peer.until_method("window/workDoneProgress/create")
        await peer.send({"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32603, "message": "no"}})
        assert "result" in await peer.reply(msg_id)
        assert all(message.get("method") != "$/progress" for message in peer.received)


async def test_reindexing_without_a_path_covers_every_folder_that_is_open() -> None:
    fakes = Fakes()
    fakes.workspaces.progress = [IndexProgress(WorkspaceState.INDEXING, 20, 40, 100, 0)]
    folders = [FOLDER, {"uri": "file:///projects/other", "name": "other"}]
    async with serving(fakes) as (peer, _):
        await peer.initialize(workspaceFolders=folders)
        result = await run(peer, "lucastra.reindex")
        assert [one["workspace"]["root"] for one in result["indexed"]] == ["/projects/project", "/projects/other"]
        told = (await peer.until_method("window/showMessage"))["params"]["message"]
        assert told == "/projects/project: 3 files are searchable; /projects/other: 3 files are searchable"


@pytest.mark.parametrize(
    ("command", "arguments", "says"),
    [
        ("lucastra.search", [], "missing required field `query`"),
        ("lucastra.search", [5], "Expected one `object`, or the query as text"),
        ("lucastra.search", ["a", "b"], "Expected one `object`"),
        ("lucastra.search", [{"query": "x", "limit": 0}], "at `$.limit`"),
        ("lucastra.related", ["a.py"], "Expected one `object`"),
        ("lucastra.related", [{"path": "a.py"}], "absolute path"),
        ("lucastra.ask", [""], "length >= 1"),
        ("lucastra.ask", [{"selection": {"uri": URI}}], "missing required field `range`"),
        ("lucastra.reindex", [], "no folder is open"),
        ("lucastra.completion.accepted", [], "missing required field `id`"),
        ("lucastra.nonsense", [], "known: lucastra.ask, lucastra.completion.accepted, lucastra.reindex, lucastra.rel"),
    ],
)
async def test_a_wrong_argument_is_told_with_its_place(command: str, arguments: list[Any], says: str) -> None:
    async with serving() as (peer, _):
        await peer.initialize()
        error = await refused(peer, command, *arguments)
        assert error["code"] == -32602
        assert says in error["message"]


def selecting(start: tuple[int, int], end: tuple[int, int], **context: Any) -> dict[str, Any]:
    places = [{"line": line, "character": character} for line, character in (start, end)]
    return {
        "textDocument": {"uri": URI},
        "range": {"start": places[0], "end": places[1]},
        "context": {"diagnostics": [], **context},
    }


LITERAL = {"textDocument": {"codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}}}


async def test_the_selected_code_is_explained_as_the_buffer_has_it(tmp_path: Path) -> None:
    answers = Answering()
    async with serving(Fakes(assistant=answers, home=tmp_path)) as (peer, _):
        await peer.initialize(capabilities={**LITERAL, "window": {"showDocument": {"support": True}}})
        await opened(peer, "# 😀\ndef f():\n    return 1\n")
        explain, similar = await peer.ask("textDocument/codeAction", selecting((1, 0), (2, 12)))
        assert (explain["title"], explain["kind"]) == ("Explain with LucAstra", "lucastra.explain")
        assert similar["command"]["arguments"] == [{"path": URI, "line": 1}]
        await peer.ask("workspace/executeCommand", explain["command"] | {"title": None})
        page = await shown(peer)
    assert answers.asked[0].text.endswith("a.py, lines 2-3:\n\ndef f():\n    return 1")
    assert page.startswith("# a.py:2: Explain what this code does, why, and how it is used.")


async def test_without_a_selection_the_code_around_the_cursor_is_explained() -> None:
    answers = Answering()
    async with serving(Fakes(assistant=answers)) as (peer, _):
        await peer.initialize()
        await opened(peer, "".join(f"line {number}\n" for number in range(1, 101)))
        (explain, _) = await peer.ask("textDocument/codeAction", selecting((49, 0), (49, 0)))
        argument = {**explain["arguments"][0], "show": False}
        await run(peer, "lucastra.ask", argument)
    text = answers.asked[0].text
    assert "lines 35-65" in text
    assert text.count("line ") == 31


async def test_code_that_has_changed_since_it_was_selected_is_not_explained() -> None:
    async with serving() as (peer, _):
        await peer.initialize()
        await opened(peer, "x = 1\n")
        (explain, _) = await peer.ask("textDocument/codeAction", selecting((0, 0), (0, 5)))
        change = {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"text": "y = 2\n"}]}
        await peer.notify("textDocument/didChange", change)
        assert (await refused(peer, "lucastra.ask", *explain["arguments"]))["code"] == -32801


@pytest.mark.parametrize(
    ("context", "titles"),
    [
        ({}, ["Explain with LucAstra", "Find similar code"]),
        ({"triggerKind": 1}, ["Explain with LucAstra", "Find similar code"]),
        ({"triggerKind": 2}, []),
        ({"only": ["quickfix"]}, []),
        ({"only": ["lucastra.explain"]}, ["Explain with LucAstra"]),
        ({"only": ["lucastra"]}, ["Explain with LucAstra", "Find similar code"]),
    ],
)
async def test_actions_are_offered_when_they_are_asked_for(context: dict[str, Any], titles: list[str]) -> None:
    async with serving() as (peer, _):
        await peer.initialize()
        await opened(peer, "x = 1\n")
        actions = await peer.ask("textDocument/codeAction", selecting((0, 0), (0, 1), **context))
        assert [action["title"] for action in actions] == titles


async def test_a_file_of_secrets_is_not_offered_to_a_model() -> None:
    uri = "file:///projects/project/.env"
    async with serving() as (peer, _):
        await peer.initialize()
        await opened(peer, "TOKEN=1\n", uri)
        actions = await peer.ask("textDocument/codeAction", {**selecting((0, 0), (0, 1)), "textDocument": {"uri": uri}})
        assert [action["title"] for action in actions] == ["Find similar code"]
        place = {"line": 0, "character": 0}
        error = await refused(
            peer, "lucastra.ask", {"selection": {"uri": uri, "range": {"start": place, "end": place}}}
        )
        assert "holds secrets" in error["message"]
