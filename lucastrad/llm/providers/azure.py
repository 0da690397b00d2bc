"""Azure OpenAI: OpenAI's APIs at a resource of one's own, where a deployment stands for a model.

With `v1`, the current surface, the deployment is the body's `model`; with a dated api-version it is in the path.
https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
"""

from typing import Literal
from urllib.parse import quote, urlencode

from lucastrad.llm.http import Endpoint
from lucastrad.llm.protocol import Capabilities
from lucastrad.llm.providers.base import Defaults
from lucastrad.llm.providers.openai import OpenAiProvider

CURRENT = "v1"


class AzureProvider(OpenAiProvider):
    """`endpoint` is the resource's own address, `https://NAME.openai.azure.com`."""

    def __init__(
        self, endpoint: Endpoint, defaults: Defaults, *, api: Literal["chat", "responses"], api_version: str = CURRENT
    ) -> None:
        super().__init__(endpoint, defaults, api=api)
        self._api_version = api_version

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            embed=True, choose_dimensions=True, stop=self._api == "chat"
        )  # fmt: skip

    def _path(self, path: str, model: str | None) -> str:
        if self._api_version == CURRENT:
            return f"/openai/v1{path}"
        query = urlencode({"api-version": self._api_version})
        # Of the dated surface only these two name the deployment in the body.
        if model is None or path == "/responses":
            return f"/openai{path}?{query}"
        return f"/openai/deployments/{quote(model, safe='')}{path}?{query}"

    def _limit_key(self) -> str:
        return "max_completion_tokens"
