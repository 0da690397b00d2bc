"""`lucastra-client eval` and a real daemon, on a small repository with a history."""

import os
import subprocess
from pathlib import Path

import pytest
from user_home import Home

pytestmark = pytest.mark.slow


def git(folder: Path, *arguments: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    person = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", *person, *arguments], cwd=folder, env=environment, check=True)


@pytest.fixture
def repository(home: Home) -> Path:
    """Five documented functions, a commit for each, and one that nobody can ask about."""
    root = home.folder / "shop"
    (root / "shop").mkdir(parents=True)
    git(root, "init", "-q", ".")
    for name, doc, body, message in _HISTORY:
        (root / "shop" / f"{name}.py").write_text(f'def {name}(things):\n    """{doc}"""\n{body}')
        git(root, "add", ".")
        git(root, "commit", "-q", "-m", message)
    (root / "README.md").write_text("# Shop\n")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Bump the version of the whole shop")
    return root


def test_retrieval_is_measured_by_docs_and_commits(home: Home, repository: Path) -> None:
    found = home.json("eval", cwd=repository / "shop")
    assert found["root"] == str(repository)
    assert [(one["name"], one["questions"]) for one in found["sources"]] == [("definitions", 5), ("commits", 5)]
    assert {one["question"] for one in found["asked"] if one["source"] == "commits"} == {
        message for *_, message in _HISTORY
    }
    hybrid = next(score for score in found["total"]["modes"] if score["mode"] == "hybrid")
    assert hybrid["files"] == 1.0
    assert hybrid["ndcg"] > 0.7
    assert found["total"]["relevance"] > 0.8
    again = home.json("eval", "--questions", "10", cwd=repository)
    assert again["asked"] == found["asked"]
    assert home.json("status", cwd=repository)["workspaces"][0]["files"] == 6
    assert not (home.folder / ".lucastra" / "evaluation").exists()


def test_the_report_is_for_people_and_fits_their_terminal(home: Home, repository: Path) -> None:
    shown = home.client("eval", cwd=repository, check=0)
    assert shown.stdout.startswith(f"workspace: {repository}\nquestions: 5 from docs and 5 from commits, in ")
    assert "semantic relevance: " in shown.stdout
    assert f"evaluating {repository}: asking" in shown.stderr


def test_without_a_history_the_docs_are_asked_and_without_both_nothing_is(home: Home, project: Path) -> None:
    shown = home.json("eval", cwd=project)
    assert [one["name"] for one in shown["sources"]] == ["definitions"]
    assert any("git history" in notice for notice in shown["notices"])
    bare = home.folder / "bare"
    bare.mkdir()
    (bare / "a.py").write_text("x = 1\n")
    refused = home.client("eval", cwd=bare, check=2)
    assert "there is nothing to ask about" in refused.stderr
    assert "docstrings" in refused.stderr


_HISTORY = [
    (
        "retry_call",
        "Call again after a failure, waiting twice as long each time.",
        "    for attempt in range(5):\n        wait_after_failure(2**attempt)\n        call(things)\n",
        "Retry calls that failed with a growing wait",
    ),
    (
        "basket_total",
        "Add up the prices of everything in the basket.",
        "    prices = [item.price for item in things]\n    total = sum(prices)\n    return total\n",
        "Count the price of each item of the basket",
    ),
    (
        "send_invoice",
        "Mail the invoice of an order to its customer.",
        "    message = Message(things.customer)\n    message.attach(invoice_of(things))\n    mail(message)\n",
        "Mail invoices to customers after each order",
    ),
    (
        "parse_address",
        "Split a postal address into street, town and postcode.",
        "    street, town = things.split(',')\n    postcode = town.split()[0]\n    return street, town, postcode\n",
        "Read the postcode out of an address",
    ),
    (
        "open_database",
        "Connect to the database of orders, and make its tables.",
        "    connection = connect(things)\n    connection.execute('CREATE TABLE orders')\n    return connection\n",
        "Keep all orders in a database table",
    ),
]
