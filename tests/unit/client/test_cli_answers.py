"""What models answer at the command line: questions, prompts, conversations, models and providers."""

import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from fake_daemon import Answer, fake_daemon, hit, workspace
from lucastra_client import open_client
from lucastra_client.arguments import parse
from lucastra_client.asking import with_context
from lucastra_client.commands import COMMANDS
from lucastra_client.rendering import View
from lucastra_client.rendering.human import HumanRenderer
from lucastra_client.rendering.writing import MarkdownWriting, PlainWriting, finished_blocks
from lucastra_client.shell import Shell, piped_text, renderer_for
from lucastra_protocol import answers as model
from lucastra_protocol import types as wire
from lucastra_protocol.errors import ErrorCode, LucAstraError
from lucastra_protocol.paths import Paths
from rich.console import Console

CITED = [wire.Citation(number=1, hit=hit())]
USAGE = wire.TokenUsage(input_tokens=25, output_tokens=7)
EVENTS = (
    model.PassagesEvent(citations=CITED),
    model.DeltaEvent(text="It **ru"),
    model.DeltaEvent(text="ns** [1]."),
    model.UsageEvent(provider="llm", model="m1", usage=USAGE),
)
TURN = model.Turn(
    number=1, question="why?", started_at=1.0, answer="It **runs** [1].", provider="llm", model="m1", usage=USAGE
)
SENT = model.SendResult(turn=TURN, citations=CITED)
TALK = model.Conversation(id="3f2a01", title="Retries", created_at=1.0, updated_at=2.0, turns=2)
OTHER = model.Conversation(id="3f9b02", title="Baskets", created_at=1.0, updated_at=1.0)
LISTED = model.ListResult(conversations=[TALK, OTHER], total=2)
CONFIGURED = model.ProviderInfo(
    name="llm", kind="ollama", configured=True, default=True, origin="http://127.0.0.1:11434", model="m1"
)
PROVIDERS = model.ProvidersResult(providers=[CONFIGURED])


@dataclass
class Ran:
    """What one command line did."""

    code: int = 0
    out: str = ""
    err: str = ""
    requests: list[tuple[str, Any]] = field(default_factory=list)
    error: LucAstraError | None = None

    def asked(self, method: str) -> list[Any]:
        """The params of every request of a method."""
        return [params for name, params in self.requests if name == f"lucastra/{method}"]


async def run(
    cwd: Path, line: list[str], answers: Mapping[str, Answer], *, events: Sequence[Any] = EVENTS, piped: str = ""
) -> Ran:
    """Run a command line against a daemon that knows the project in `cwd`, and gives `answers`."""
    known = wire.WorkspacesResult(workspaces=[workspace(str(cwd))])
    arguments = parse(line)
    out, err = io.StringIO(), io.StringIO()
    base: dict[str, Answer] = {"workspaces": known, "providers": PROVIDERS, "conversation/start": TALK}
    methods = {f"lucastra/{name}": answer for name, answer in {**base, **answers}.items()}
    async with fake_daemon(methods, events=events) as (daemon, stream):
        shell = Shell(
            arguments,
            cwd,
            Paths(home=cwd / "home", run=cwd / "run"),
            out,
            err,
            show=renderer_for(arguments, cwd, out),
            open=lambda: open_client(stream=stream),
            open_running=lambda: open_client(stream=stream),
            stop=_never,
            piped=lambda: piped,
        )
        ran = Ran(requests=daemon.requests)
        try:
            ran.code = await COMMANDS[str(arguments.command)](shell)
        except LucAstraError as error:
            ran.code, ran.error = 2, error
    ran.out, ran.err = out.getvalue(), err.getvalue()
    return ran


async def _never() -> bool:
    raise AssertionError


# --- ask -----------------------------------------------------------------------------------------


@pytest.mark.trio
@pytest.mark.parametrize("options", [[], ["--no-stream"]])
async def test_an_answer_ends_with_its_numbered_sources(tmp_path: Path, options: list[str]) -> None:
    ran = await run(tmp_path, ["ask", *options, "why?"], {"conversation/send": SENT})
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "It **runs** [1].\n\n[1] /projects/project/src/app.py:10-11  main  0.5\n"
    (sent,) = ran.asked("conversation/send")
    assert (sent.conversation, sent.text, sent.retrieve, sent.workspaces) == ("3f2a01", "why?", True, [str(tmp_path)])


@pytest.mark.trio
async def test_model_and_system_text_go_along(tmp_path: Path) -> None:
    ran = await run(
        tmp_path, ["ask", "-m", "cloud/big", "-s", "Be brief.", "why?"],
        {"conversation/send": SENT, "providers": model.ProvidersResult()},
    )  # fmt: skip
    assert ran.asked("conversation/send")[0].provider == "cloud/big"
    assert ran.asked("conversation/start")[0].system == "Be brief."


@pytest.mark.trio
async def test_without_a_provider_passages_answer_and_no_conversation_begins(tmp_path: Path) -> None:
    passages = wire.AskResult(citations=CITED, notices=["no language model is configured"])
    answers = {"providers": model.ProvidersResult(), "ask": passages}
    ran = await run(tmp_path, ["ask", "why?"], answers, events=EVENTS[:1], piped="a diff")
    assert ran.code == 0
    assert ran.out.splitlines()[1] == "    def main():"
    assert ran.asked("conversation/start") == []
    assert ran.asked("ask")[0].question == "why?\n\n```\na diff\n```"
    assert "no language model is configured" in ran.err


@pytest.mark.trio
async def test_json_is_one_document_with_who_answered(tmp_path: Path) -> None:
    ran = await run(tmp_path, ["ask", "--json", "why?"], {"conversation/send": SENT})
    document = json.loads(ran.out)
    assert document["answer"] == "It **runs** [1]."
    assert (document["provider"], document["model"], document["conversation"]) == ("llm", "m1", "3f2a01")
    assert document["usage"] == {"input_tokens": 25, "output_tokens": 7}
    assert [citation["number"] for citation in document["citations"]] == [1]


@pytest.mark.trio
async def test_jsonl_is_each_event_and_then_the_result(tmp_path: Path) -> None:
    ran = await run(tmp_path, ["ask", "--jsonl", "why?"], {"conversation/send": SENT})
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [line["kind"] for line in lines] == ["passages", "delta", "delta", "usage", "result"]
    assert lines[0]["citations"][0]["start_line"] == 10
    assert "".join(line["text"] for line in lines[1:3]) == lines[-1]["answer"]
    assert lines[3] == {"kind": "usage", "provider": "llm", "model": "m1", "finish": "stop", "usage": {
        "input_tokens": 25, "output_tokens": 7}}  # fmt: skip


@pytest.mark.trio
async def test_an_answer_that_breaks_off_has_no_result_line(tmp_path: Path) -> None:
    broken = LucAstraError("llm broke off; ask again", code=ErrorCode.PROVIDER_FAILED)
    history = model.HistoryResult(conversation=TALK, turns=[TURN])
    answers = {"conversation/send": broken, "conversation/history": history}
    ran = await run(tmp_path, ["ask", "--jsonl", "why?"], answers, events=EVENTS[:2])
    assert ran.error is not None
    assert ran.error.message == "llm broke off; ask again"
    assert [json.loads(line)["kind"] for line in ran.out.splitlines()] == ["passages", "delta"]
    assert ran.asked("conversation/delete") == []  # what was written is kept


@pytest.mark.trio
async def test_a_conversation_whose_first_question_failed_at_once_is_not_kept(tmp_path: Path) -> None:
    refused = LucAstraError("there is no provider typo", code=ErrorCode.CONFIG_INVALID)
    failed = model.Turn(number=1, question="why?", started_at=1.0, state="partial", problem="no provider")
    answers = {
        "conversation/send": refused,
        "conversation/history": model.HistoryResult(conversation=TALK, turns=[failed]),
        "conversation/delete": wire.Empty(),
    }
    ran = await run(tmp_path, ["ask", "-m", "typo", "why?"], answers, events=())
    assert ran.error is not None
    assert ran.error.message == "there is no provider typo"
    assert [params.conversation for params in ran.asked("conversation/delete")] == ["3f2a01"]


@pytest.mark.trio
async def test_not_found_is_said_and_exits_1(tmp_path: Path) -> None:
    turn = model.Turn(number=1, question="?", started_at=1.0, answer="Not found in this workspace.", found=False)
    events = [model.PassagesEvent(), model.DeltaEvent(text=turn.answer)]
    ran = await run(tmp_path, ["ask", "?"], {"conversation/send": model.SendResult(turn=turn)}, events=events)
    assert (ran.code, ran.out, ran.err) == (1, "Not found in this workspace.\n", "")


@pytest.mark.trio
async def test_a_question_goes_on_with_the_last_conversation_or_a_named_one(tmp_path: Path) -> None:
    answers: dict[str, Answer] = {"conversation/send": SENT, "conversation/list": LISTED}
    last = await run(tmp_path, ["ask", "-c", "and?"], answers)
    named = await run(tmp_path, ["ask", "--cid", "3f9", "and?"], answers)
    assert [ran.asked("conversation/send")[0].conversation for ran in (last, named)] == ["3f2a01", "3f9b02"]
    assert last.asked("conversation/start") == named.asked("conversation/start") == []


@pytest.mark.trio
@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["ask", "-c", "x"], "no conversation to go on with yet; leave out -c"),
        (["ask", "--cid", "zz", "x"], "there is no conversation zz; `lucastra-client conversations` lists them"),
        (["ask", "-c", "-s", "Be brief.", "x"], "leave out -s"),
        (["ask"], "the query is empty; see `lucastra-client ask --help`"),
        (["complete"], "the query is empty; see `lucastra-client complete --help`"),
    ],
)
async def test_a_refusal_names_the_cure(tmp_path: Path, line: list[str], told: str) -> None:
    ran = await run(tmp_path, line, {"conversation/list": model.ListResult()})
    assert ran.error is not None
    assert told in ran.error.message


@pytest.mark.trio
async def test_what_is_piped_in_stands_below_the_question_or_is_the_question(tmp_path: Path) -> None:
    ran = await run(tmp_path, ["ask", "a", "bug?"], {"conversation/send": SENT}, piped="+ x = 1\n")
    assert ran.asked("conversation/send")[0].text == "a bug?\n\n```\n+ x = 1\n```"
    ran = await run(tmp_path, ["ask"], {"conversation/send": SENT}, piped="a bug?\n")
    assert ran.asked("conversation/send")[0].text == "a bug?"


def test_the_fence_of_what_is_piped_in_is_not_in_it() -> None:
    assert with_context("q", "````\ncode\n````") == "q\n\n`````\n````\ncode\n````\n`````"


def test_only_pipes_and_files_are_read(tmp_path: Path) -> None:
    err = io.StringIO()
    (tmp_path / "diff").write_text("+ ä\n", encoding="utf-8")
    (tmp_path / "image").write_bytes(b"\xff\xd8")
    with (tmp_path / "diff").open() as file:
        assert piped_text(file, err) == "+ ä\n"
    with (tmp_path / "image").open() as file, pytest.raises(LucAstraError, match="not UTF-8"):
        piped_text(file, err)
    with Path(os.devnull).open() as device:
        assert piped_text(device, err) == ""
    assert piped_text(None, err) == piped_text(io.StringIO("x"), err) == ""
    assert err.getvalue() == ""


# --- complete ------------------------------------------------------------------------------------


@pytest.mark.trio
async def test_a_prompt_is_completed_without_passages(tmp_path: Path) -> None:
    result = model.CompleteResult(text="[0-9]+", provider="llm", model="m1", notices=["it ends at `max_tokens`"])
    line = ["complete", "-t", "0", "--max-tokens", "9", "-s", "Regex.", "digits"]
    ran = await run(tmp_path, line, {"complete": result}, events=[model.DeltaEvent(text="[0-9]+")])
    assert (ran.code, ran.out) == (0, "[0-9]+\n")
    assert ran.err == "lucastra-client: it ends at `max_tokens`\n"
    (sent,) = ran.asked("complete")
    assert (sent.prompt, sent.system, sent.temperature, sent.max_tokens) == ("digits", "Regex.", 0.0, 9)
    assert ran.asked("workspaces") == []


# --- conversations, models, providers ------------------------------------------------------------


@pytest.mark.trio
async def test_conversations_are_listed_shown_and_worked_on(tmp_path: Path) -> None:
    history = model.HistoryResult(conversation=TALK, turns=[TURN])
    answers: dict[str, Answer] = {
        "conversation/list": LISTED,
        "conversation/history": history,
        "conversation/export": model.ExportResult(text="# Retries\n"),
        "conversation/rename": TALK,
        "conversation/delete": wire.Empty(),
        "conversation/fork": OTHER,
    }
    listed = await run(tmp_path, ["conversations"], answers)
    assert [line.split("\t")[::3] for line in listed.out.splitlines()[1:]] == [
        ["3f2a01", "Retries"], ["3f9b02", "Baskets"],
    ]  # fmt: skip
    assert (await run(tmp_path, ["conversations", "show", "3f2"], answers)).out == "# Retries\n"
    shown = await run(tmp_path, ["conversations", "show", "3f2", "--json"], answers)
    assert json.loads(shown.out)["turns"][0]["question"] == "why?"
    renamed = await run(tmp_path, ["conversations", "rename", "3f2", "How", "it", "waits"], answers)
    assert renamed.asked("conversation/rename")[0].title == "How it waits"
    deleted = await run(tmp_path, ["conversations", "delete", "3f9b02"], answers)
    assert deleted.out == "deleted conversation 3f9b02 (Baskets)\n"
    forked = await run(tmp_path, ["conversations", "fork", "3f2", "--turn", "1"], answers)
    assert forked.asked("conversation/fork")[0].turn == 1
    assert "chat --cid 3f9b02" in forked.err
    exported = await run(tmp_path, ["conversations", "export", "3f2", "--json"], answers)
    assert exported.asked("conversation/export")[0].format == "json"


@pytest.mark.trio
async def test_an_id_that_is_not_the_only_one_is_refused(tmp_path: Path) -> None:
    ran = await run(tmp_path, ["conversations", "delete", "3f"], {"conversation/list": LISTED})
    assert ran.error is not None
    assert "begins the ids of 2 conversations" in ran.error.message
    assert ran.asked("conversation/delete") == []


@pytest.mark.trio
async def test_no_conversation_exits_1_and_tells_how_to_begin(tmp_path: Path) -> None:
    ran = await run(tmp_path, ["conversations"], {"conversation/list": model.ListResult()})
    assert (ran.code, ran.out) == (1, "")
    assert "lucastra-client chat" in ran.err


@pytest.mark.trio
async def test_models_stand_as_the_option_takes_them(tmp_path: Path) -> None:
    listed = model.ModelsResult(
        models=[model.ModelInfo(provider="llm", id="m1", context_tokens=4096)], problems=["cloud: no key; set KEY"]
    )
    ran = await run(tmp_path, ["models"], {"models": listed})
    assert (ran.code, ran.out) == (0, "model\tcontext\nllm/m1\t4,096\n")
    assert "cloud: no key; set KEY" in ran.err
    none = await run(tmp_path, ["models", "llm"], {"models": model.ModelsResult()})
    assert none.code == 1
    assert "config path" in none.err
    assert none.asked("models")[0].provider == "llm"


@pytest.mark.trio
async def test_providers_that_would_not_answer_exit_1(tmp_path: Path) -> None:
    ran = await run(tmp_path, ["providers"], {})
    assert (ran.code, ran.out.splitlines()[1].split("\t")[4]) == (0, "default")
    down = model.ProviderInfo(
        name="llm", kind="ollama", default=True, health=model.ProviderHealth(ok=False, detail="start `ollama serve`")
    )
    ran = await run(tmp_path, ["providers", "--check"], {"providers": model.ProvidersResult(providers=[down])})
    assert ran.code == 1
    assert ran.asked("providers")[0].check
    assert ran.out.splitlines()[1].split("\t")[4:] == ["failed", "start `ollama serve`"]
    unused = model.ProviderInfo(name="azure", kind="azure", problem="azure needs an address: set it")
    ran = await run(tmp_path, ["providers"], {"providers": model.ProvidersResult(providers=[unused])})
    assert ran.code == 1
    assert ran.out.splitlines()[1].split("\t")[4:] == ["not configured", "azure needs an address: set it"]
    assert "config path" in ran.err


# --- rendering -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "finished"),
    [
        ("one\n\ntwo", ""),
        ("one\n\ntwo\n", "one\n\n"),
        ("one\n\n-", ""),
        ("# Title\n- a\n- b\n", "# Title\n"),
        ("one\n\n```python\na = 1\n\nb = 2\n", "one\n\n"),
        ("- a\n\n- b\n\n  more\n", ""),
        ("a | b\n--|--\n1 | 2\n", ""),
    ],
)
def test_a_block_is_finished_once_the_next_has_begun(text: str, finished: str) -> None:
    assert finished_blocks(text) == (finished, text.removeprefix(finished))


ANSWER = "# Retries\n\nIt *waits*:\n\n```python\ncall()\n\nsleep()\n```\n\n- a\n- b\n\nThe end."


def test_markdown_in_pieces_looks_as_it_does_at_once() -> None:
    pieces, whole = io.StringIO(), io.StringIO()
    with MarkdownWriting(Console(file=pieces, width=60)) as writing:
        for character in ANSWER:
            writing.take(model.DeltaEvent(text=character))
    HumanRenderer(Console(file=whole, width=60), View(Path("/"))).answer("?", wire.AskResult(answer=ANSWER))
    assert _lines(pieces) == _lines(whole)


def _lines(out: io.StringIO) -> list[str]:
    """Without the empty ones, of which rich puts none before a list."""
    return [line.rstrip() for line in out.getvalue().splitlines() if line.strip()]


def test_a_terminal_keeps_what_was_written_when_the_answer_breaks_off() -> None:
    out = io.StringIO()
    console = Console(file=out, width=60, height=10, force_terminal=True, color_system=None)
    with pytest.raises(KeyboardInterrupt), MarkdownWriting(console) as writing:
        writing.take(model.PassagesEvent(citations=CITED))
        writing.take(model.DeltaEvent(text="line\n\n" * 40))
        writing.take(model.DeltaEvent(text="the last\x1b[2J words"))
        raise KeyboardInterrupt
    assert out.getvalue().count("line") >= 40
    assert "\x1b[2J" not in out.getvalue()
    assert out.getvalue().rstrip().endswith("words")


def test_plain_text_is_made_fit_and_keeps_line_ends_that_come_in_two_pieces() -> None:
    out = io.StringIO()
    with PlainWriting(out) as writing:
        for text in ("a\r", "\nb\x1b[2J", "c\r"):
            writing.take(model.DeltaEvent(text=text))
    assert out.getvalue() == "a\nb␛[2Jc␍\n"


@pytest.mark.trio
@pytest.mark.parametrize(
    ("line", "piped", "text", "kind"),
    [
        (["embed", "load", "config"], "", "load config", "passage"),
        (["embed"], "def load():\n    ...\n", "def load():\n    ...", "passage"),
        (["embed", "--query", "where"], "", "where", "query"),
    ],
)
async def test_a_text_is_embedded_and_its_vector_is_printed_as_json(
    tmp_path: Path, line: list[str], piped: str, text: str, kind: str
) -> None:
    embedded = model.EmbedResult(vectors=[[0.25, -1.0]], provider="local", model="m", dimensions=2)
    plain = await run(tmp_path, line, {"embed": embedded}, piped=piped)
    assert (plain.code, json.loads(plain.out)) == (0, [0.25, -1.0])
    ((_, params),) = plain.requests
    assert (params.texts, params.kind) == ([text], kind)
    document = await run(tmp_path, [*line, "--json"], {"embed": embedded}, piped=piped)
    assert json.loads(document.out) == {"vector": [0.25, -1.0], "provider": "local", "model": "m", "dimensions": 2}


@pytest.mark.trio
async def test_nothing_is_not_embedded(tmp_path: Path) -> None:
    ran = await run(tmp_path, ["embed"], {})
    assert ran.code == 2
    assert "the query is empty" in str(ran.error)
