"""OpenAI's own client, on chat completions."""

import json

import openai
from pydantic import BaseModel

from given import *

MODEL = "gpt-4o-mini"


def ask(content):
    return {"model": MODEL, "messages": [{"role": "user", "content": content}]}


def chat(task):
    answer = openai.OpenAI().chat.completions.create(**ask(QUESTION))
    check(answer.choices[0].message.content and answer.usage.total_tokens > 0, "answer", answer)


def stream(task):
    with openai.OpenAI().chat.completions.stream(**ask(QUESTION), stream_options={"include_usage": True}) as streaming:
        text = "".join(event.delta for event in streaming if event.type == "content.delta")
        whole = streaming.get_final_completion()
    choice = whole.choices[0]
    check(text and choice.message.content == text and choice.finish_reason == "stop" and whole.usage.completion_tokens > 0, "streamed", text, whole)


def tools(task):
    client = openai.OpenAI()
    text, names = tools_of(task)
    params = ask(text)
    params["tools"] = [{"type": "function", "function": {"name": name, "parameters": parameters, "strict": True}} for name, parameters in (("look_up", LOOK_UP), ("weigh", WEIGH))]
    message = client.chat.completions.create(**params).choices[0].message
    are_calls([(c.function.name, json.loads(c.function.arguments)) for c in message.tool_calls], names)
    params["messages"] += [message, *({"role": "tool", "tool_call_id": c.id, "content": "an officer"} for c in message.tool_calls)]
    told = client.chat.completions.create(**params).choices[0]
    check(told.message.content and told.finish_reason == "stop", "with the results", told)


class Word(BaseModel):
    word: str
    grams: int


def structured(task):
    answer = openai.OpenAI().chat.completions.parse(**ask(QUESTION), response_format=Word)
    is_word(answer.choices[0].message.parsed.model_dump())


def image(task):
    answer = openai.OpenAI().chat.completions.create(**ask([
        {"type": "text", "text": ASK_PICTURE},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + picture_base64(task)}},
    ]))
    check(answer.usage.prompt_tokens > PICTURE_TOKENS, "usage", answer.usage)


def others(task):
    client = openai.OpenAI()
    made = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    check(len(made.data) == 2 and made.data[0].embedding, "embeddings", made)
    models = [m.id for m in client.models.list()]
    check(MODEL in models and client.models.retrieve(MODEL).id == MODEL, "models", models)
    legacy = client.completions.create(model="gpt-3.5-turbo-instruct", prompt="Once")
    check(legacy.choices[0].text, "completion", legacy)


def errors(task):
    refused("a model without a price", lambda: openai.OpenAI().chat.completions.create(**{**ask(QUESTION), "model": UNPRICED}),
            openai.BadRequestError, lambda e: e.code == "model_not_priced" and e.param == "model")
    refused("an unknown key", lambda: openai.OpenAI(api_key="pk_none").chat.completions.create(**ask(QUESTION)),
            openai.AuthenticationError, lambda e: e.code == "invalid_api_key")


def cancel(task):
    streaming = openai.OpenAI().chat.completions.create(**ask(QUESTION), stream=True)
    check(next(iter(streaming)).choices, "the first piece")
    streaming.close()


def denial(task):
    refused("the refusal", lambda: openai.OpenAI().chat.completions.create(**ask(QUESTION)),
            openai.APIStatusError, lambda e: e.status_code == 402 and e.code == "insufficient_quota")


SCENARIOS = {"chat": chat, "stream": stream, "tools": tools, "parallel tools": tools, "structured": structured,
             "image": image, "other routes": others, "errors": errors, "cancel": cancel, "denial": denial}
