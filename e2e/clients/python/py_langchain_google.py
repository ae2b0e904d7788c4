"""LangChain with Google's models. It takes the base URL as an option only."""

import os

from google.genai.errors import ClientError
from langchain_google_genai import ChatGoogleGenerativeAI, GoogleGenerativeAIEmbeddings
from langchain_google_genai.chat_models import ChatGoogleGenerativeAIError

from langchain_client import scenarios


def cause(error):
    return error if isinstance(error, ClientError) else error.__cause__


SCENARIOS = scenarios(
    lambda **options: ChatGoogleGenerativeAI(**{"model": "gemini-2.5-flash", "base_url": os.environ["base_url"], **options}),
    (ClientError, ChatGoogleGenerativeAIError), {
        "unpriced": lambda e: cause(e).code == 400 and "MODEL_NOT_PRICED" in str(cause(e).details),
        "unknown key": lambda e: cause(e).code == 401,
        "denial": lambda e: cause(e).code == 402 and cause(e).status == "FAILED_PRECONDITION",
    }, lambda: GoogleGenerativeAIEmbeddings(model="gemini-embedding-001", base_url=os.environ["base_url"]))
