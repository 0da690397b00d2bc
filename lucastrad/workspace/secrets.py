"""Keeps secrets out of the index, the logs and everything that leaves the machine.

Files that exist to hold secrets are never indexed, whatever an ignore file says. Secrets inside other
files stay searchable here and are replaced by `redact` before text goes anywhere else. Token shapes
are those that their issuers publish for secret scanning.

Invariant: `redact` never changes the number of lines, so citations stay right.
"""

import math
import re
from collections import Counter
from collections.abc import Callable

SECRET_FILE = "secret file"  # noqa: S105 - a reason, not a password
PRIVATE_KEY = "holds a private key"

_NAMES = frozenset(
    {".npmrc", ".pypirc", ".netrc", "_netrc", ".htpasswd", ".pgpass", ".my.cnf", ".git-credentials", ".dockercfg",
     ".dockerconfigjson", ".boto", ".s3cfg", ".envrc", ".vault-token", ".pryrc_secrets", "credentials",
     "credentials.json", "client_secret.json", "client_secrets.json", "service-account.json",
     "service_account.json", "application_default_credentials.json", "kubeconfig", "terraform.tfstate",
     "terraform.tfstate.backup", "master.key", "credentials.yml.enc", "secrets.yml", "secrets.yaml",
     "secrets.json", "secrets.toml", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_ecdsa_sk", "id_ed25519_sk",
     "wp-config.php", "local_settings.json.enc", "passwd.txt", "passwords.txt", "shadow", "shadow-",
     "gshadow", "gshadow-", "sudoers",
     "ssh_host_rsa_key", "ssh_host_ecdsa_key", "ssh_host_ed25519_key", "logins.json", "key4.db"},
)  # fmt: skip
_SUFFIXES = frozenset(
    {".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".bks", ".p8", ".ppk", ".asc.key", ".kdbx", ".kdb",
     ".tfstate", ".tfvars", ".ovpn", ".agekey", ".pkcs12", ".mobileprovision", ".gpg", ".keytab", ".jceks"},
)  # fmt: skip
_TEMPLATE_SUFFIXES = (".example", ".sample", ".template", ".dist", ".tmpl", ".defaults", ".md")

_BASE64_LINES = rb"(?:[A-Za-z0-9+/=]|\\n|\\r|\s|\"|'|,|\+){64}"
_KEY_FILE = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\\n|\\r|\s|\"|'|,|\+)"
    rb"(?:(?:Proc-Type|DEK-Info|Version|Comment)[^\n]*\n|\s){0,6}" + _BASE64_LINES
)


def secret_file(name: str) -> str | None:
    """Why a file called `name` is never indexed; None if its name is not that of a secret file."""
    name = name.rpartition("/")[2].lower()
    if name.startswith(".env"):
        plain = name == ".env" or name.startswith(".env.")
        return SECRET_FILE if (plain and not name.endswith(_TEMPLATE_SUFFIXES)) or name == ".envrc" else None
    dot = name.rfind(".")
    if name in _NAMES or (dot >= 0 and name[dot:] in _SUFFIXES) or name.endswith(".env"):
        return SECRET_FILE
    return None


def secret_content(content: bytes) -> str | None:
    """Why a file with these bytes is never indexed: it holds a private key. None if it does not."""
    if b"PRIVATE KEY" in content and _KEY_FILE.search(content):
        return PRIVATE_KEY
    return None


_Replace = str | Callable[[re.Match[str]], str]


def _key_block(match: re.Match[str]) -> str:
    return "[redacted: private key]" + "\n" * match[0].count("\n")


def _assignment(match: re.Match[str]) -> str:
    """The assignment without its value, if that looks like a secret."""
    bare = match["bare"]
    value = bare or match["quoted"]
    if (bare and not _BARE_NAME.fullmatch(_line_before(match))) or not _looks_random(value):
        return match[0]
    group = "bare" if bare else "quoted"
    start = match.start(group) - match.start()
    end = match.end(group) - match.start()
    kind = "password" if match["word"].lower().startswith(("pass", "pwd")) else "secret"
    return f"{match[0][:start]}[redacted: {kind}]{match[0][end:]}"


def _line_before(match: re.Match[str]) -> str:
    """The line of a match up to it; of a very long line, too much of it to be a name."""
    start = match.start()
    return match.string[match.string.rfind("\n", max(0, start - 100), start) + 1 : start][-100:]


def _looks_random(value: str) -> bool:
    """Whether a value assigned to a secret's name is one: mixed characters, at least 2.8 bits each.

    "changeme", "your-token-here", `${TOKEN}` and names of variables are not.
    """
    lowered = value.lower()
    if any(word in lowered for word in _PLACEHOLDERS) or value[0] in "$<{%":
        return False
    letters = any(c.isalpha() for c in value)
    others = sum(not c.isalpha() and c not in "_-./: " for c in value)
    if not letters or not others:
        return False
    counts = Counter(value)
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return entropy >= 2.8


_PLACEHOLDERS = (
    "example", "changeme", "change-me", "change_me", "your", "xxxx", "placeholder", "dummy", "redacted",
    "<", "${", "{{", "...", "****",
)  # fmt: skip

# Each starts where no token character precedes it, so that runs of them are looked at once.
_RULES: tuple[tuple[tuple[str, ...], re.Pattern[str], _Replace], ...] = (
    (
        ("PRIVATE KEY",),
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:(?!-----END )[\s\S]){0,16384}(?:-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----)?"
        ),
        _key_block,
    ),
    (
        ("AKIA", "ASIA", "ABIA", "ACCA"),
        re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
        "[redacted: AWS access key]",
    ),
    (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})"),
        "[redacted: GitHub token]",
    ),
    (
        ("glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-"),
        re.compile(r"(?<![\w-])(?:glpat|gldt|glrt|glcbt|glptt|glft|glsoat)-[A-Za-z0-9_\-]{20,}"),
        "[redacted: GitLab token]",
    ),
    (
        ("xox", "xapp-", "hooks.slack.com"),
        re.compile(
            r"(?<![\w-])xox[abeoprs]-[A-Za-z0-9-]{10,}|(?<![\w-])xapp-\d-[A-Za-z0-9-]{10,}"
            r"|https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_]{20,}"
        ),
        "[redacted: Slack token]",
    ),
    (
        ("AIza", "ya29.", "GOCSPX-"),
        re.compile(r"(?<![\w-])AIza[A-Za-z0-9_\-]{35}|(?<![\w-])ya29\.[A-Za-z0-9_\-]{20,}|(?<![\w-])GOCSPX-[A-Za-z0-9_\-]{28}"),
        "[redacted: Google key]",
    ),
    (
        ("k_live_", "k_test_", "whsec_"),
        re.compile(r"\b(?:[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{24,})"),
        "[redacted: Stripe key]",
    ),
    (("sk-",), re.compile(r"(?<![\w-])sk-(?=[A-Za-z0-9_\-]{0,60}\d)[A-Za-z0-9_\-]{20,}"), "[redacted: API key]"),
    (
        ("npm_", "pypi-", "hf_", "dop_v1_", "SG.", "shpat_", "AGE-SECRET"),
        re.compile(
            r"\bnpm_[A-Za-z0-9]{36}|(?<![\w-])pypi-[A-Za-z0-9_\-]{50,}|\bhf_[A-Za-z0-9]{30,}|\bdop_v1_[a-f0-9]{64}"
            r"|(?<![\w-])SG\.[A-Za-z0-9_\-]{16,}+\.[A-Za-z0-9_\-]{16,}|\bshpat_[a-f0-9]{32}"
            r"|\bAGE-SECRET-KEY-1[A-Z0-9]{58}"
        ),
        "[redacted: access token]",
    ),
    (
        ("eyJ",),
        re.compile(r"(?<![\w-])eyJ[A-Za-z0-9_\-]{10,}+\.eyJ[A-Za-z0-9_\-]{10,}+\.[A-Za-z0-9_\-]{10,}"),
        "[redacted: JSON web token]",
    ),
    (
        ("://",),
        re.compile(r"(?P<scheme>\b[a-zA-Z][a-zA-Z0-9+.\-]{0,20}://[^\s/:@'\"]{0,64}:)(?P<value>[^\s/@'\"]{3,128})(?=@)"),
        lambda match: match[0] if match["value"][0] in "$<{%" else match["scheme"] + "[redacted: password]",
    ),
    (
        ("earer", "asic"),
        re.compile(r"(?i)(?P<scheme>\bauthorization['\"]?\s{0,4}[:=]\s{0,4}['\"]?(?:bearer|basic)\s+)(?P<value>[A-Za-z0-9._~+/=\-]{16,})"),
        lambda match: match["scheme"] + "[redacted: credentials]",
    ),
)  # fmt: skip

# Found in lower case first: a search that ignores case costs eight times as much.
_TELLING_WORD = re.compile(
    r"passw(?:or)?d|passphrase|pwd|secret|token|(?:api|access|private|auth|account)[_-]?key|credential"
)
_ASSIGNMENT = re.compile(
    r"""(?ix)
    (?P<word>[\w\-]{3,32}+) ['"]?+ \]?+ [ \t]{0,8}+ (?:=>|:=|[:=]) [ \t]{0,8}+
    (?: (?P<quote>['"`]) (?P<quoted>[^'"`\s]{8,256}+) (?P=quote)
      | (?P<bare>[A-Za-z0-9+/=_~!@\#%^&*.\-]{12,256}+) (?=[ \t]*+ (?:\Z|\n)) )
    """,
)
# without quotes only as a whole line, as .env, YAML, INI and properties files have it
_BARE_NAME = re.compile(r"[ \t\-]{0,40}(?:export )?[\w.\-]{0,40}")


def redact(text: str) -> str:
    """`text` with each secret that has a known shape replaced by what it was; the lines stay."""
    for hints, pattern, replacement in _RULES:
        if any(hint in text for hint in hints):
            text = pattern.sub(replacement, text)
    return _redact_assignments(text)


def _redact_assignments(text: str) -> str:
    lowered = text.lower()
    if len(lowered) != len(text):  # some capitals become two letters; offsets must stay
        lowered = "".join(c.lower() if c.isascii() else c for c in text)
    pieces: list[str] = []
    end = 0
    for word in _TELLING_WORD.finditer(lowered):
        if word.start() < end or (match := _ASSIGNMENT.match(text, word.start())) is None:
            continue
        pieces += text[end : match.start()], _assignment(match)
        end = match.end()
    pieces.append(text[end:])
    return "".join(pieces)
