"""Anthropic's own client."""

import os

import anthropic
from pydantic import BaseModel

from given import *


def ask(content):
    return {"model": "claude-haiku-4-5", "max_tokens": 1024, "messages": [{"role": "user", "content": content}]}


def chat(task):
    answer = anthropic.Anthropic().messages.create(**ask(QUESTION))
    check(answer.content[0].text and answer.stop_reason == "end_turn" and answer.usage.output_tokens > 0, "answer", answer)


def stream(task):
    with anthropic.Anthropic().messages.stream(**ask(QUESTION)) as streaming:
        text = "".join(streaming.text_stream)
        whole = streaming.get_final_message()
    check(text and whole.content[0].text == text and whole.stop_reason == "end_turn" and whole.usage.output_tokens > 5, "streamed", text, whole)


def tools(task):
    client = anthropic.Anthropic()
    text, names = tools_of(task)
    params = ask(text)
    params["tools"] = [{"name": "look_up", "input_schema": LOOK_UP}, {"name": "weigh", "input_schema": WEIGH}]
    answer = client.messages.create(**params)
    calls = [block for block in answer.content if block.type == "tool_use"]
    are_calls([(c.name, c.input) for c in calls], names)
    params["messages"] += [
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": c.id, "content": "an officer"} for c in calls]},
    ]
    told = client.messages.create(**params)
    check(told.content[0].text and told.stop_reason == "end_turn", "with the results", told)


class Word(BaseModel):
    word: str
    grams: int


def structured(task):
    is_word(anthropic.Anthropic().messages.parse(**ask(QUESTION), output_format=Word).parsed_output.model_dump())


def image(task):
    answer = anthropic.Anthropic().messages.create(**ask([
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": picture_base64(task)}},
        {"type": "text", "text": ASK_PICTURE},
    ]))
    check(answer.usage.input_tokens > PICTURE_TOKENS, "usage", answer.usage)


def others(task):
    client = anthropic.Anthropic()
    params = ask(QUESTION)
    counted = client.messages.count_tokens(model=params["model"], messages=params["messages"])
    check(counted.input_tokens > 0, "count", counted)
    models = [m.id for m in client.models.list()]
    check(params["model"] in models, "models", models)
    bearer = anthropic.Anthropic(api_key=None, auth_token=os.environ["ANTHROPIC_API_KEY"])
    check(bearer.messages.create(**params).stop_reason == "end_turn", "a key as bearer token")


def errors(task):
    refused("a model without a price", lambda: anthropic.Anthropic().messages.create(**{**ask(QUESTION), "model": UNPRICED}),
            anthropic.BadRequestError, lambda e: e.body["error"]["details"]["error_code"] == "model_not_priced" and e.request_id)
    refused("an unknown key", lambda: anthropic.Anthropic(api_key="pk_none").messages.create(**ask(QUESTION)),
            anthropic.AuthenticationError, lambda e: e.body["error"]["type"] == "authentication_error")


def cancel(task):
    streaming = anthropic.Anthropic().messages.create(**ask(QUESTION), stream=True)
    check(any(event.type == "content_block_delta" for event in streaming), "a piece of text")
    streaming.close()


def denial(task):
    refused("the refusal", lambda: anthropic.Anthropic().messages.create(**ask(QUESTION)), anthropic.APIStatusError,
            lambda e: e.status_code == 402 and e.body["error"]["type"] == "billing_error" and e.body["error"]["details"]["error_code"] == "spend_limit_reached")


SCENARIOS = {"chat": chat, "stream": stream, "tools": tools, "parallel tools": tools, "structured": structured,
             "image": image, "other routes": others, "errors": errors, "cancel": cancel, "denial": denial}
