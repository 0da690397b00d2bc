"""Packages that questions are made from, pinned by version and SHA-256: the model is trained on none of them."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmarks.corpora import DJANGO, LIBRARY, Corpus, Pinned, Sdist
from benchmarks.errors import BenchmarkError
from training.held_out import JAVASCRIPT, PYTHON_FIRST, PYTHON_SECOND

SYMPY = Sdist("sympy", "1.14.0", "d3d3fe8df1e5a0b42f0e7bdf50541697dbe7d23746e894990c030e2b05e72517")
REQUESTS = Sdist("requests", "2.34.2", "f288924cae4e29463698d6d60bc6a4da69c89185ad1e0bcc4104f584e960b9ed")
FLASK = Sdist("flask", "3.1.3", "0ef0e52b8a9cd932855379197dd8f94047b359ca0a78695144304cb45f87c9eb")
NETWORKX = Sdist("networkx", "3.4.2", "307c3669428c5362aab27c8a1260aa8f47c4e91d3891f48be0141738d8d053e1")
TORNADO = Sdist("tornado", "6.6.1", "28e6311402af59c8b02e3fa0f5e7d8eb465b25081381803b127d97e6a4395d5a")
SQLALCHEMY = Sdist("SQLAlchemy", "2.0.40", "d827099289c64589418ebbcaead0145cd19f4e3e8a93919a0100247af245fa00")
HTTPX = Sdist("httpx", "0.28.1", "75e98c5f16b0f35b567856f597f06ff2270a374470a5c2392242528e3e3e42fc")
RICH = Sdist("rich", "15.0.0", "edd07a4824c6b40189fb7ac9bc4c52536e9780fbbfbddf6f1e2502c31b068c36")
PYDANTIC = Sdist("pydantic", "2.14.3", "1054f237f4d4733e5a30e1e2333bd33a2004ab9ab1510bd053a9a31bb48e232d")
JINJA2 = Sdist("jinja2", "3.1.6", "0137fb05990d35f1275a587e9aee6d56da821fc83491a0fb838183be43f66d6d")
TRIO = Sdist("trio", "0.35.0", "7efb295c78a0ecd1235c5759e620b5da564ca80d2efcb0055423588547248b96")


@dataclass(frozen=True, slots=True)
class NpmTarball(Pinned):
    """A package of the npm registry."""

    prefix: ClassVar[str] = "npm-"
    suffix: ClassVar[str] = ".tgz"

    def download(self, folder: Path) -> None:
        _pack(f"{self.project}@{self.version}", folder)


def _pack(package: str, folder: Path) -> None:
    try:
        done = subprocess.run(
            ["npm", "pack", "--silent", package], cwd=folder, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise BenchmarkError("npm is not installed; it fetches the JavaScript packages") from error
    if done.returncode != 0:
        raise BenchmarkError(f"`npm pack {package}` failed; it needs the npm registry:\n{done.stderr}")


Package = Corpus | NpmTarball

FIRST: tuple[Package, ...] = (DJANGO, SYMPY, REQUESTS, FLASK, LIBRARY)
SECOND: tuple[Package, ...] = (NETWORKX, TORNADO, SQLALCHEMY, HTTPX, RICH, PYDANTIC, JINJA2, TRIO)
NPM: tuple[Package, ...] = (
    NpmTarball("lodash", "4.18.1", "696942c2a488c9d7428e9ca5f12ccf03b52de01dcdbfe4d4751d392f0491ae16"),
    NpmTarball("underscore", "1.13.8", "6547214df2878ae60cc552422ef14af38b8d4e3aa613be5bfe9c52b775d96f7a"),
    NpmTarball("async", "3.2.6", "6bb45cfba08cd2eea39eb3ce6eaa94113070fe137ec0bd4a9f122be9a0250e6f"),
    NpmTarball("jquery", "4.0.0", "7ac123e4992439dc6a966cb4444fceb7f4698db94904a1256df542d5deb80f59"),
    NpmTarball("moment", "2.31.0", "efddf549c13aa7cf270f573d9c464978ab0810c0652673ae6af1189bb56ab3f8"),
    NpmTarball("d3-array", "3.2.5", "90139c20a9a7678badb0ddeb9aafd504c935dc24f5a53c3e61ccf866e4479572"),
    NpmTarball("d3-scale", "4.0.3", "08acf42ba283a2197ff1f35c2c644fdbbe902cae0a8ba478590e7d2bda6b7838"),
    NpmTarball("immutable", "5.2.1", "44be721297099bed852e685941658a3f270830f1fbd3c5f51c33fee1dcd935c9"),
    NpmTarball("mathjs", "15.2.0", "cb99d6e259c42193863aea504d694ac3fc6df4753ff126ccf8dcb9c441ce5451"),
    NpmTarball("ramda", "0.32.0", "e99a665207ddba7c1177c8062f607c37d31ac376674d41200418627428863967"),
    NpmTarball("chart.js", "4.6.1", "9345dacdf4bb4c5d40321f4b9aafab6fe676d37a534fc0bc2d17c4c4e29c4f00"),
    NpmTarball("express", "5.3.0", "62450d99e36dc393295f1ddd93cb9291e658c169f3b700b0110c1ae8fa799930"),
    NpmTarball("yargs", "18.2.0", "44ddd9d39e41a7d73dd794b6d229f2b92fd655d394ef59e2ca34d31df6181d13"),
    NpmTarball("commander", "14.0.3", "5849703c500e0f324eb01340d8bda1f9ec48fc37bb7be9712eb0dd52aad92f6c"),
    NpmTarball("webpack", "5.112.2", "fb618a5eba0f16fa43ed720cc4634df4e88c65d594c0e0ad2c5c0c9be4057dfe"),
    NpmTarball("eslint", "10.15.0", "8cb5e45fb5b1174e4216d546b69d37c0ac5cb5d9ba8342946a04af1f59605edb"),
    NpmTarball("three", "0.187.0", "ff540832ded0cfe919764d24a3d88f3e2a05f23303f876423e4f893841e90728"),
    NpmTarball("video.js", "8.24.1", "ae4c208cb6e8d1f42af45009bfcaead2e5e6ee2de58cf7a67b9413e7ff87a5fd"),
    NpmTarball("leaflet", "1.9.4", "84c65a256e50657896f54c33bd857b6849ebe94c817803be818bf32a3dde0b77"),
    NpmTarball("fabric", "7.4.0", "47b563847544c80a23f7a37de6788e78667a385bfde932706834bbab076c0c3f"),
)
HELD_OUT_SETS: Mapping[tuple[str, ...], tuple[Package, ...]] = {
    PYTHON_FIRST: FIRST,
    PYTHON_SECOND: SECOND,
    JAVASCRIPT: NPM,
}
"""What training must leave out, and what is pinned for it: a test holds them against each other."""
