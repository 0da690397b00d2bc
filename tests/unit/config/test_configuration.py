"""The configuration in force: at the start, while files change, and as it is shown."""

import json
import os
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from lucastra_protocol.errors import LucAstraError
from lucastra_protocol.paths import Paths

from lucastrad.config.files import MAX_FILE_BYTES
from lucastrad.config.layers import Severity
from lucastrad.config.schema import Config, SearchConfig
from lucastrad.config.service import ConfigChange, Configuration


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    home = tmp_path / "home"
    home.mkdir()
    return Paths(home=home, run=home / "run")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def write(path: Path, content: object) -> None:
    """Replace the file as editors do, so that its inode tells the change."""
    text = content if isinstance(content, str) else json.dumps(content)
    temporary = path.with_name("new")
    temporary.write_text(text)
    temporary.chmod(0o600)
    temporary.replace(path)


def load(paths: Paths, environ: Mapping[str, str] | None = None, **flags: object) -> Configuration:
    return Configuration.load(paths, environ or {}, {name.replace("__", "."): value for name, value in flags.items()})


def test_without_any_source_the_defaults_are_in_force(paths: Paths, root: Path) -> None:
    configuration = load(paths)
    assert configuration.current == configuration.for_workspace(root) == Config()
    assert configuration.report(root).origins == {}
    assert configuration.problems == ()


def test_a_workspace_file_tunes_its_own_workspace_only(paths: Paths, root: Path) -> None:
    write(paths.config, {"search": {"limit": 20}, "indexing": {"ignore": ["a"]}})
    write(root / ".lucastra.json", {"indexing": {"ignore": ["b"]}, "llm": {"endpoint": "http://evil.example"}})
    configuration = load(paths, {"LUCASTRA_LOGGING__KEEP": "7"}, logging__level="debug")
    config = configuration.for_workspace(root)
    assert (config.indexing.ignore, config.search.limit, config.llm.endpoint) == (("b",), 20, None)
    assert configuration.current.indexing.ignore == ("a",)
    report = configuration.report(root / "src")
    assert report.origins == {
        "indexing.ignore": f"{root}/.lucastra.json:1",
        "logging.keep": "LUCASTRA_LOGGING__KEEP",
        "logging.level": "flag",
        "search.limit": f"{paths.config}:1",
    }
    assert any("may not set llm.endpoint" in problem for problem in report.problems)


BROKEN = [
    ('{"llm": {"provider": "openai"},}', ":1:"),
    ('{"llm": {"provider": "openai"},\n"offline": 3}', ":2: offline must be true or false"),
    ("[]", "must hold one JSON object"),
    (" " * (MAX_FILE_BYTES + 1), "more than"),
]


@pytest.mark.parametrize(("text", "says"), BROKEN)
def test_a_file_broken_from_the_start_counts_as_empty_and_keeps_the_daemon_offline(
    paths: Paths, text: str, says: str
) -> None:
    write(paths.config, text)
    configuration = load(paths)
    assert configuration.current == Config(offline=True)
    assert any(says in problem for problem in configuration.report(None).problems)
    assert configuration.problems[-1].severity is Severity.ERROR

    write(paths.config, {})
    configuration.reload()
    assert configuration.current == Config()
    assert configuration.problems == ()


def test_saying_offline_elsewhere_overrides_what_a_broken_file_implies(paths: Paths) -> None:
    write(paths.config, "{")
    assert load(paths, {"LUCASTRA_OFFLINE": "false"}).current == Config()


@pytest.mark.parametrize(("text", "says"), BROKEN)
def test_a_file_that_breaks_leaves_the_last_good_values_in_force(paths: Paths, text: str, says: str) -> None:
    write(paths.config, {"llm": {"provider": "ollama"}})
    configuration = load(paths)
    write(paths.config, text)
    assert configuration.reload() is None
    assert configuration.current.llm.provider == "ollama"
    assert configuration.current.offline is False
    problems = configuration.report(None).problems
    assert any(says in problem for problem in problems)
    assert any("stays in force" in problem for problem in problems)


def test_a_workspace_file_that_breaks_leaves_its_last_good_values(paths: Paths, root: Path) -> None:
    write(root / ".lucastra.json", {"search": {"limit": 3}})
    configuration = load(paths)
    assert configuration.for_workspace(root).search.limit == 3
    write(root / ".lucastra.json", {"search": {"limit": "three"}})
    assert configuration.reload() is None
    assert configuration.for_workspace(root).search.limit == 3
    assert {str(problem) for problem in configuration.problems} <= set(configuration.report(root).problems)
    assert configuration.problems != ()
    configuration.forget_workspace(root)
    assert configuration.problems == ()


@pytest.mark.parametrize(
    ("embeddings", "said"),
    [
        ({"dimensions": 100}, "embeddings.dimensions must be one of 64, 128, 256 for the local model"),
        ({"model": "text-embedding-3-small"}, "embeddings.model is of no use with the local model"),
        ({"provider": "anthropic"}, "embeddings.provider is no provider that embeds"),
        ({"provider": "nobody"}, "embeddings.provider is no provider that embeds"),
        ({"provider": "work", "dimensions": 100, "model": "bge-m3"}, ""),
        ({"provider": "openai", "model": "text-embedding-3-small"}, ""),
        ({"model": "lucastra-static", "dimensions": 128}, ""),
    ],
)
def test_settings_that_do_not_go_together_are_named(paths: Paths, embeddings: dict[str, object], said: str) -> None:
    write(paths.config, {"providers": {"work": {"provider": "openai"}}, "embeddings": embeddings})
    problems = load(paths).report(None).problems
    assert [problem.startswith(f"{paths.config}:1: {said}") for problem in problems] == [True] * bool(said)


def test_a_search_that_names_no_number_shows_as_many_hits_as_its_workspace_is_configured_to(
    paths: Paths, tmp_path: Path
) -> None:
    root, other = tmp_path / "project", tmp_path / "other"
    root.mkdir()
    write(root / ".lucastra.json", {"search": {"limit": 3}})
    write(paths.config, {"search": {"limit": 20}, "vector_search": {"top_k": 7}})
    configuration = load(paths)
    configuration.for_workspace(root)
    searched = [[], [root], [root / "src"], [other], [root, other]]
    assert [configuration.search_limit(folders) for folders in searched] == [20, 3, 3, 20, 20]
    assert configuration.answer_limit == 7


def test_a_deleted_file_no_longer_sets_anything(paths: Paths) -> None:
    write(paths.config, {"search": {"limit": 3}})
    configuration = load(paths)
    paths.config.unlink()
    assert configuration.reload() == ConfigChange(Config(search=SearchConfig(limit=3)), Config(), frozenset())


def test_a_change_names_the_workspaces_it_reaches(paths: Paths, tmp_path: Path) -> None:
    overridden, plain = tmp_path / "a", tmp_path / "b"
    for folder in (overridden, plain):
        folder.mkdir()
    write(overridden / ".lucastra.json", {"search": {"limit": 3}})
    configuration = load(paths)
    for folder in (overridden, plain):
        configuration.for_workspace(folder)
    write(paths.config, {"search": {"limit": 50}})
    change = configuration.reload()
    assert change is not None
    assert change.workspaces == {plain}
    assert change.after.search.limit == 50


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_folder(path: Path) -> None:
    path.mkdir()


def make_link(path: Path) -> None:
    target = path.with_name("elsewhere.json")
    target.write_text('{"search": {"limit": 3}}')
    path.symlink_to(target)


@pytest.mark.parametrize(
    ("make", "says"),
    [(make_fifo, "not a regular file"), (make_folder, "not a regular file"), (make_link, "symbolic link")],
)
def test_a_workspace_cannot_plant_anything_but_a_file(paths: Paths, root: Path, make: Any, says: str) -> None:
    make(root / ".lucastra.json")
    configuration = load(paths)
    assert configuration.for_workspace(root) == Config()
    assert says in configuration.report(root).problems[0]


def test_the_user_may_link_to_a_file_kept_elsewhere(paths: Paths, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles.json"
    target.write_text('{"search": {"limit": 3}}')
    paths.config.symlink_to(target)
    assert load(paths).current.search.limit == 3


def test_no_part_of_a_credential_is_shown(paths: Paths) -> None:
    write(
        paths.config,
        {
            "llm": {"provider": "openai", "api_key": "${OPENAI_API_KEY}", "model": "x-hush-from-env"},
            "providers": {
                "plain": {"provider": "openai", "api_key": "hush-in-file"},
                "mixed": {"provider": "openai", "api_key": "hush-${TAIL}"},
            },
        },
    )
    environ = {"OPENAI_API_KEY": "hush-from-env", "TAIL": "hush", "LUCASTRA_PROVIDERS__ENV__API_KEY": "hush-in-env"}
    configuration = load(paths, environ)
    report = configuration.report(None)
    config: Any = report.config
    assert config["llm"]["api_key"] == "set (from ${OPENAI_API_KEY})"
    assert config["providers"]["plain"]["api_key"] == f"set (from {paths.config}:1)"
    assert config["providers"]["mixed"]["api_key"] == "set (from ${TAIL})"
    assert config["providers"]["env"]["api_key"] == "set (from LUCASTRA_PROVIDERS__ENV__API_KEY)"
    assert "hush" not in json.dumps(report.config) + str(report.problems) + str(report.origins)
    assert "hush" not in repr(configuration.current.providers)
    assert len(configuration.current.secrets()) == 4


@pytest.mark.parametrize(("mode", "told"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_credential_in_a_file_others_can_read_is_told(paths: Paths, mode: int, told: bool) -> None:
    write(paths.config, {"llm": {"provider": "openai", "api_key": "k-literal"}})
    paths.config.chmod(mode)
    assert any("chmod 600" in problem for problem in load(paths).report(None).problems) is told


def test_a_report_can_be_sent_whatever_the_paths_are(paths: Paths) -> None:
    write(paths.config, {"workspaces": ["a"]})
    odd = Paths(home=paths.home.parent / "\udcff", run=paths.run)
    paths.home.rename(odd.home)
    report = load(odd).report(None)
    json.dumps([report.config, report.origins, report.problems], ensure_ascii=False).encode()


def test_a_wrong_flag_is_an_error(paths: Paths) -> None:
    with pytest.raises(LucAstraError, match=r"logging\.level must be one of"):
        load(paths, logging__level="loud")


class Watched:
    """A watched configuration, polled when the test says so."""

    def __init__(self, configuration: Configuration, clock: trio.testing.MockClock) -> None:
        self.changes: list[ConfigChange] = []
        self._configuration = configuration
        self._clock = clock

    async def start(self, nursery: trio.Nursery) -> None:
        await nursery.start(self._configuration.watch, self._note)
        await self._asleep()

    async def poll(self) -> None:
        """Let the watch poll once, and wait until it sleeps again."""
        self._clock.jump(1.0)
        await self._asleep()

    async def _note(self, change: ConfigChange) -> None:
        self.changes.append(change)

    async def _asleep(self) -> None:
        while not 0 < trio.lowlevel.current_statistics().seconds_to_next_deadline < inf:
            await trio.lowlevel.checkpoint()


@pytest.mark.trio
async def test_a_change_comes_into_force_once_it_has_settled(
    paths: Paths, root: Path, mock_clock: trio.testing.MockClock
) -> None:
    configuration = load(paths)
    configuration.for_workspace(root)
    async with trio.open_nursery() as nursery:
        watched = Watched(configuration, mock_clock)
        await watched.start(nursery)
        await watched.poll()
        write(paths.config, "{")  # half written: another poll, another state
        await watched.poll()
        write(paths.config, {"search": {"limit": 3}})
        await watched.poll()
        assert (configuration.current, configuration.problems, watched.changes) == (Config(), (), [])
        await watched.poll()
        assert configuration.current.search.limit == 3
        write(root / ".lucastra.json", {"search": {"limit": 4}})
        await watched.poll()
        await watched.poll()
        await watched.poll()
        assert [(change.after.search.limit, set(change.workspaces)) for change in watched.changes] == [
            (3, {root}),
            (3, {root}),
        ]
        assert configuration.for_workspace(root).search.limit == 4
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_a_file_that_breaks_while_watched_is_told_and_changes_nothing(
    paths: Paths, mock_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    write(paths.config, {"search": {"limit": 3}})
    configuration = load(paths)
    async with trio.open_nursery() as nursery:
        watched = Watched(configuration, mock_clock)
        await watched.start(nursery)
        write(paths.config, '{"search": {"limit": 0}}')
        await watched.poll()
        await watched.poll()
        assert configuration.current.search.limit == 3
        assert watched.changes == []
        assert any("search.limit" in str(problem) for problem in configuration.problems)
        assert "configuration problem" in caplog.messages
        nursery.cancel_scope.cancel()
