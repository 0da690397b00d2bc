"""`lucastra/evaluate` on the wire: what it translates, its progress, and its cancellation."""

from pathlib import Path

import pytest
import trio
from fakes import Fakes
from peer import serving

pytestmark = pytest.mark.trio


async def test_an_evaluation_is_translated_with_names_that_json_can_carry() -> None:
    fakes = Fakes()
    async with serving(fakes) as (peer, _):
        result = await peer.ask("lucastra/evaluate", {"path": "/projects/shop/", "questions": 50})
    assert fakes.evaluations.asked == [(Path("/projects/shop"), 50)]
    assert [mode.pop("mode") for mode in result["total"]["modes"]] == ["hybrid", "vector", "keyword"]
    assert result["total"]["modes"][0] == {
        "mrr": 0.5, "mrrError": 0.05, "ndcg": 0.6, "ndcgError": 0.04, "recall": 0.7, "recallError": 0.03, "files": 0.8,
    }  # fmt: skip
    assert (result["total"]["relevance"], result["total"]["atLeastAsGood"]) == (1.25, 0.9)
    assert result["advice"] == [{"topic": "noise", "text": "vendor/ takes 3 of 12", "ignore": ["/vendor/"]}]
    assert result["asked"] == [
        {"source": "commits", "question": "what was done", "answers": ["caf\ufffd.py"], "ranks": {"hybrid": 2}}
    ]
    assert result["notices"] == ["no git"]


@pytest.mark.parametrize("questions", [9, 2001])
async def test_too_few_or_too_many_questions_are_refused(questions: int) -> None:
    async with serving() as (peer, _):
        error = await peer.fail("lucastra/evaluate", {"path": "/projects/shop", "questions": questions})
    assert error["code"] == -32602
    assert "questions" in error["message"]


async def test_an_evaluation_reports_progress_and_is_cancelled_by_it() -> None:
    fakes = Fakes()
    fakes.evaluations.gate = trio.Event()
    async with serving(fakes) as (peer, _):
        msg_id = await peer.start("lucastra/evaluate", {"path": "/projects/shop", "workDoneToken": "e"})
        await peer.until_method("$/progress")
        await trio.testing.wait_all_tasks_blocked()
        await peer.notify("window/workDoneProgress/cancel", {"token": "e"})
        assert (await peer.reply(msg_id))["error"]["code"] == -32800
        begin, report, end = [m["params"]["value"] for m in peer.received if m.get("method") == "$/progress"]
    assert begin["title"] == "Evaluating shop"
    assert report == {"kind": "report", "message": "reading: 1 of 2 files", "percentage": 35}
    assert end == {"kind": "end"}
