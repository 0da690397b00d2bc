"""Secret files are known by name, secrets in text by their shape; ordinary code is left alone."""

import sysconfig
from pathlib import Path

import pytest

from lucastrad.workspace.secrets import redact, secret_content, secret_file

# Assembled, so that no scanner takes this file for a leak.
CANARIES = {
    "AWS access key": "AKIA" + "QYLPMN5HZ2TXVB4C",
    "GitHub token": "ghp_" + "a1B2c3D4e5" * 3 + "F6g7H8",
    "GitHub fine-grained": "github_pat_" + "11ABCDEFG0" * 7 + "abc",
    "GitLab": "glpat-" + "xY3zK9-qW7rT5uP1sD2f",
    "Slack bot": "xoxb-" + "123456789012-123456789012-AbCdEfGhIjKlMnOpQrStUvWx",
    "Slack hook": "https://hooks.slack.com/services/" + "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    "Google": "AIza" + "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
    "Stripe": "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "OpenAI": "sk-proj-" + "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9",
    "Anthropic": "sk-ant-api03-" + "Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9_x-Y",
    "npm": "npm_" + "a1B2c3D4e5F6g7H8i9J0" * 1 + "k1L2m3N4o5P6q7R8",
    "PyPI": "pypi-" + "AgEIcHlwaS5vcmc" * 4,
    "Hugging Face": "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZ012345",
    "JWT": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "SendGrid": "SG." + "ngeVfQFYQlKU0ufo8x5d1A" + "." + "TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr",
}


@pytest.mark.parametrize("canary", CANARIES.values(), ids=CANARIES)
@pytest.mark.parametrize("line", ["key = '{}'", "see {} there", "{}", "curl -H 'X: {}' http://x"])
def test_a_token_of_known_shape_is_redacted(canary: str, line: str) -> None:
    result = redact(line.format(canary))
    assert canary not in result
    assert "[redacted: " in result


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ('password = "tr0ub4dor&3xK"', "tr0ub4dor&3xK"),
        ("DB_PASSWORD: 'q7R!x92_kLm'", "q7R!x92_kLm"),
        ('"client_secret": "9f8e7d6c5b4a3210"', "9f8e7d6c5b4a3210"),
        ("API_KEY=9f8e7d6c5b4a3210ffee", "9f8e7d6c5b4a3210ffee"),
        ("export AUTH_TOKEN=9f8e7d6c5b4a3210ffee", "9f8e7d6c5b4a3210ffee"),
        ('config["secret_key"] = "django-insecure-8$k2!x"', "django-insecure-8$k2!x"),
        ("postgres://admin:hunter2xyz@db.local/app", "hunter2xyz"),
        ("Authorization: Bearer abcdef0123456789abcdef", "abcdef0123456789abcdef"),
    ],
)
def test_an_assigned_secret_is_redacted(text: str, secret: str) -> None:
    assert secret not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "password = get_password(user)",
        'password = "your-password-here"',
        'token = os.environ["TOKEN"]',
        "API_KEY=${OPENAI_API_KEY}",
        "password: ${DB_PASSWORD}",
        'raise ValueError("password must not be empty")',
        "def check_password(password: str, encoded: str) -> bool:",
        'SECRET_KEY_FALLBACKS = "django.conf.settings"',
        "sk-learn and sk-image are packages",
        "https://user@example.com/path:8080",
        "the token is stored in token_cache",
        'AUTH_PASSWORD_VALIDATORS: "django.contrib.auth"',
    ],
)
def test_ordinary_code_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_a_key_block_goes_and_the_lines_stay() -> None:
    block = (
        "-----BEGIN PRIVATE KEY-----\n"
        + ("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 2 + "\n") * 5
        + "-----END PRIVATE KEY-----"
    )
    text = f"before\n{block}\nafter\n"
    result = redact(text)
    assert "MIIE" not in result
    assert result.count("\n") == text.count("\n")
    assert result.splitlines()[-1] == "after"


@pytest.mark.parametrize(
    "name",
    [".env", ".env.production", "deploy/.env", "prod.env", "server.pem", "tls.key", "id_rsa", "id_ed25519", ".npmrc",
     ".pypirc", ".netrc", "credentials.json", "a.p12", "a.pfx", "a.jks", "a.keystore", ".htpasswd", "kubeconfig",
     "terraform.tfstate", "prod.tfvars", "ID_RSA", ".git-credentials", "vault.kdbx"],
)  # fmt: skip
def test_secret_files_are_known_by_name(name: str) -> None:
    assert secret_file(name) == "secret file"


@pytest.mark.parametrize(
    "name",
    [".env.example", ".env.sample", ".env.template", "environment.py", "id_rsa.pub", "secrets.py", "keys.py",
     "credentials.py", "tokenizer.json", "keyboard.c", ".envoy.yaml", "key.go", "password_reset.html"],
)  # fmt: skip
def test_files_about_secrets_are_not_secret_files(name: str) -> None:
    assert secret_file(name) is None


@pytest.mark.parametrize("header", ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "])
def test_a_private_key_is_known_by_content(header: str) -> None:
    body = "MIIEpAIBAAKCAQEA1c7+9z5Pad7OejecsQ0bu3aozN3tihPmljnnudb9G3HECdnH"
    assert secret_content(f"x\n-----BEGIN {header}PRIVATE KEY-----\n{body}\n".encode())
    assert secret_content(f'"-----BEGIN {header}PRIVATE KEY-----\\n{body}\\n"'.encode())


def test_code_that_mentions_keys_is_not_a_key() -> None:
    assert (
        secret_content(b'if text.startswith("-----BEGIN PRIVATE KEY-----"):\n    raise ValueError("no keys please")\n')
        is None
    )
    assert secret_content(b"-----BEGIN PUBLIC KEY-----\n" + b"A" * 200) is None


def test_at_most_one_in_a_hundred_ordinary_files_is_taken_for_secret_or_changed() -> None:
    library = Path(sysconfig.get_path("stdlib"))
    files = sorted(library.glob("*.py")) + sorted(library.glob("*/*.py"))[:200]
    texts = [path.read_text("utf-8", "replace") for path in files if "site-packages" not in path.parts]
    assert len(texts) > 200
    assert sum(secret_file(path.name) is not None for path in files) <= len(files) // 100
    assert sum(secret_content(text.encode("utf-8", "replace")) is not None for text in texts) <= len(texts) // 100
    assert sum(redact(text) != text for text in texts) <= len(texts) // 100


def test_redaction_takes_linear_time_on_hostile_text() -> None:
    # quadratic behaviour on any of these would run into the test's time limit
    for text in (
        "-----BEGIN PRIVATE KEY-----" * 20_000,
        "eyJa" * 100_000,
        "password" * 60_000,
        "a" * 500_000,
        "://a:" * 90_000,
    ):
        redact(text)
        secret_content(text.encode())
