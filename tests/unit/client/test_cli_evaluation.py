"""`lucastra-client eval` against a fake daemon: what it asks, what it shows, and how it exits."""

import io
import json
from pathlib import Path

import pytest
from fake_daemon import fake_daemon, workspace
from lucastra_client import open_client
from lucastra_client.arguments import parse
from lucastra_client.cli import main
from lucastra_client.commands import COMMANDS
from lucastra_client.rendering import View
from lucastra_client.rendering.evaluation import evaluation
from lucastra_client.rendering.human import HumanRenderer
from lucastra_client.shell import Shell, renderer_for
from lucastra_protocol import types as wire
from lucastra_protocol.errors import LucAstraError
from lucastra_protocol.paths import Paths
from rich.console import Console


def group(
    name: str, questions: int = 300, *, hybrid: float = 0.62, relevance: float | None = 1.19
) -> wire.QuestionGroup:
    def score(mode: wire.SearchMode, ndcg: float) -> wire.ModeScore:
        return wire.ModeScore(
            mode=mode, mrr=0.5, mrr_error=0.025, ndcg=ndcg, ndcg_error=0.024, recall=0.7, recall_error=0.03, files=0.9
        )

    return wire.QuestionGroup(
        name=name,
        questions=questions,
        modes=[score("keyword", 0.52), score("vector", 0.54), score("hybrid", hybrid)],
        relevance=relevance,
        at_least_as_good=0.75,
        answered=246,
    )


RESULT = wire.EvaluateResult(
    root="/projects/shop",
    total=group("all"),
    sources=[group("definitions", 277), group("commits", 23)],
    languages=[group("python", 290), group("go", 10, hybrid=0.4)],
    folders=[group("services/a-rather-long-name/of-a-folder/within/", 12, hybrid=0.1), group("web/", 9)],
    advice=[
        wire.Advice(
            topic="noise",
            text="src/third_party/ takes the first place of 23 of 300 questions (8 %) that it does not answer; if it is"
            " nothing to search in, leave it out",
            ignore=["/src/third_party/"],
        )
    ],
    notices=["no git"],
    elapsed_seconds=21.5,
)


async def run(cwd: Path, line: list[str], *, chunks: int = 12, known: bool = True) -> tuple[int, str, str, list[str]]:
    """(exit code, standard output, standard error, methods that were asked) of a command line."""
    arguments = parse(line)
    out, err = io.StringIO(), io.StringIO()
    entry = workspace(str(cwd), chunks=chunks, embedded=chunks)
    answers = {
        "lucastra/workspaces": wire.WorkspacesResult(workspaces=[entry] if known else []),
        "lucastra/index": wire.IndexResult(workspace=entry),
        "lucastra/evaluate": RESULT,
    }
    async with fake_daemon(answers) as (daemon, stream):

        async def stop() -> bool:
            return True

        shell = Shell(
            arguments,
            cwd,
            Paths(home=cwd / "home", run=cwd / "run"),
            out,
            err,
            show=renderer_for(arguments, cwd, out),
            open=lambda: open_client(stream=stream),
            open_running=lambda: open_client(stream=stream),
            stop=stop,
        )
        try:
            code = await COMMANDS["eval"](shell)
        except LucAstraError as raised:
            error = raised
        else:
            evaluated = [params for name, params in daemon.requests if name == "lucastra/evaluate"]
            assert all(params.path == str(cwd) for params in evaluated)
            return code, out.getvalue(), err.getvalue(), [name for name, _ in daemon.requests]
    raise error


@pytest.mark.trio
async def test_the_workspace_is_brought_up_to_date_and_then_measured(tmp_path: Path) -> None:
    code, out, err, methods = await run(tmp_path, ["eval"])
    assert code == 0
    assert methods == ["lucastra/workspaces", "lucastra/index", "lucastra/evaluate"]
    assert "semantic relevance: 119% of the keyword baseline's NDCG@10 (over 80%)" in out
    assert "hybrid not worse: 75% of 246 questions that either mode answers (not over 80%)" in out
    assert "all\t300\thybrid\t0.500 ±0.025\t0.620 ±0.024\t0.700 ±0.030\t90%" in out
    assert "   .lucastraignore: /src/third_party/" in out
    assert "lucastra-client: no git" in err


@pytest.mark.trio
async def test_a_folder_within_a_workspace_measures_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    assert (await run(tmp_path, ["eval", "src"]))[0] == 0


@pytest.mark.trio
async def test_json_is_the_result_as_it_came(tmp_path: Path) -> None:
    code, out, err, _ = await run(tmp_path, ["eval", "--json", "--questions", "100"])
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert document["total"]["modes"][2]["ndcg_error"] == 0.024
    assert document["advice"][0]["ignore"] == ["/src/third_party/"]
    assert document["notices"] == ["no git"]


@pytest.mark.trio
async def test_a_folder_without_content_exits_1_and_is_not_measured(tmp_path: Path) -> None:
    code, out, err, methods = await run(tmp_path, ["eval"], chunks=0)
    assert (code, out) == (1, "")
    assert "nothing to index" in err
    assert "lucastra/evaluate" not in methods


@pytest.mark.trio
async def test_the_home_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(LucAstraError, match="your home folder"):
        await run(tmp_path, ["eval"], known=False)


@pytest.mark.parametrize("count", ["9", "2001", "many"])
def test_a_number_of_questions_that_the_daemon_would_refuse_is_refused_at_once(
    count: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["eval", "--questions", count])
    assert left.value.code == 2
    assert count in capsys.readouterr().err


def test_on_a_terminal_it_fits_80_columns() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, color_system=None, highlight=False, force_terminal=False)
    HumanRenderer(console, View(Path("/projects"))).report(evaluation(RESULT))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines]
    assert ["docs", "277", "keyword", "0.500", "±0.025", "0.520", "±0.024", "0.700", "±0.030", "90%"] in rows
    assert any(line.startswith("…") and line.split()[-4:] == ["0.520", "0.540", "0.100", "90%"] for line in lines)
    assert "1. src/third_party/ takes the first place of 23 of 300 questions (8 %) that it" in lines


def test_where_keyword_search_finds_nothing_no_share_of_it_is_told() -> None:
    nothing = wire.QuestionGroup(name="all", questions=12, modes=group("all").modes)
    shown = evaluation(wire.EvaluateResult(root="/p", total=nothing, sources=[nothing]))
    facts = dict(getattr(shown.blocks[0], "rows"))  # noqa: B009 - of the union of blocks, these are facts
    assert facts["semantic relevance"] == "keyword search finds nothing to compare with"
    assert facts["hybrid not worse"] == "neither mode answers any question"
