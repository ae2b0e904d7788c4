"""LangChain with Anthropic's models."""

import anthropic
from langchain_anthropic import ChatAnthropic

from langchain_client import scenarios

SCENARIOS = scenarios(lambda **options: ChatAnthropic(**{"model": "claude-haiku-4-5", "max_tokens": 1024, **options}), anthropic.APIStatusError, {
    "unpriced": lambda e: e.status_code == 400 and e.body["error"]["details"]["error_code"] == "model_not_priced",
    "unknown key": lambda e: e.status_code == 401 and e.body["error"]["type"] == "authentication_error",
    "denial": lambda e: e.status_code == 402 and e.body["error"]["type"] == "billing_error",
})
