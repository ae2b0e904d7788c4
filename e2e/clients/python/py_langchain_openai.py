"""LangChain with OpenAI's models, by chat completions."""

import openai
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from langchain_client import scenarios

# Told to check lengths, it would fetch a tokenizer from a third party.
SCENARIOS = scenarios(lambda **options: ChatOpenAI(**{"model": "gpt-4o-mini", "stream_usage": True, **options}), openai.APIStatusError, {
    "unpriced": lambda e: e.status_code == 400 and e.code == "model_not_priced",
    "unknown key": lambda e: e.status_code == 401 and e.code == "invalid_api_key",
    "denial": lambda e: e.status_code == 402 and e.code == "insufficient_quota",
}, lambda: OpenAIEmbeddings(model="text-embedding-3-small", check_embedding_ctx_length=False))
