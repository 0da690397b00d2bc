"""No byte of a secret file, and no secret of the configuration, stands anywhere in LucAstra's folder."""

import random
import string

import pytest
from real_daemon import RealDaemon, found, indexed, until, write

pytestmark = [pytest.mark.slow, pytest.mark.trio]

_random = random.Random(11)


def canary(prefix: str = "", length: int = 40) -> str:
    return prefix + "".join(_random.choices(string.ascii_letters + string.digits, k=length))


def pem() -> tuple[str, str]:
    body = canary(length=64)
    return f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n{body}\n-----END RSA PRIVATE KEY-----\n", body


async def test_secret_files_leave_no_trace(daemon: RealDaemon) -> None:
    canaries = {name: canary() for name in (".env", ".env.local", "prod.env", ".npmrc", ".netrc", "secrets.yml")}
    files = {f"app/{name}": f"TOKEN={value}\n" for name, value in canaries.items()}
    for name in ("server.pem", "id_rsa", "deploy.key", "embedded_key.py", "notes.md"):
        text, canaries[name] = pem()
        files[f"app/{name}"] = f'KEY = """{text}"""\n' if name.endswith((".py", ".md")) else text
    files["app/main.py"] = "def main_function():\n    return 1\n"
    root = write(daemon.folder / "project", files)
    (root / ".lucastraignore").write_text("!.env\n!*.pem\n!.env.local\n")  # no rule can ask for them
    await daemon.start()
    async with daemon.client() as client:
        await client.index(root)
        assert "app/main.py" in await found(client, "main_function")
        skipped = await indexed(client, root, skipped_only=True)
        for name, value in canaries.items():
            assert skipped[f"app/{name}"].reason
            hits = (await client.search(value)).hits
            assert [hit.path for hit in hits if value in hit.content] == []
        (root / "app" / ".env").write_text(f"TOKEN={canaries['.env']}2\n")  # a save is no way in
        (root / "app" / "main.py").write_text("def other_function():\n    return 1\n")

        async def follows() -> bool:
            return "app/main.py" in await found(client, "other_function", mode="keyword")

        await until(follows)
    await daemon.stop()
    await assert_nowhere(daemon, canaries)


async def test_keys_of_the_configuration_and_questions_reach_no_file(daemon: RealDaemon) -> None:
    canaries = {"key": canary("sk-"), "query": canary("how")}
    daemon.paths.home.mkdir(mode=0o700)
    daemon.environment["TEST_API_KEY"] = canaries["key"]
    daemon.paths.config.write_text('{"llm": {"provider": "openai", "api_key": "${TEST_API_KEY}"}}')
    root = write(daemon.folder / "project", {"main.py": "def main_function():\n    return 1\n"})
    await daemon.start()
    async with daemon.client() as client:
        await client.index(root)
        await client.search(canaries["query"])
        await client.ask(canaries["query"])
        shown = await client.config()
        assert canaries["key"] not in str(shown)
        assert canaries["key"] not in str(await client.doctor())
        assert canaries["key"] not in str(await client.status())
    await daemon.stop()
    await assert_nowhere(daemon, canaries)


async def assert_nowhere(daemon: RealDaemon, canaries: dict[str, str]) -> None:
    files = [path for path in daemon.paths.home.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".sqlite3", ".log"}
    for path in files:
        content = path.read_bytes()
        held = [
            name for name, value in canaries.items() if value.encode() in content or value.lower().encode() in content
        ]
        assert held == [], f"{path} holds the secrets of {held}"
