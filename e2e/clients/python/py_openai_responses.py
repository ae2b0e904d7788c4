"""OpenAI's own client, on responses."""

import json

import openai
from pydantic import BaseModel

from given import *

MODEL = "gpt-5-mini"


def ask(text):
    return {"model": MODEL, "input": text}


def chat(task):
    answer = openai.OpenAI().responses.create(**ask(QUESTION))
    check(answer.output_text and answer.usage.output_tokens_details.reasoning_tokens > 0, "answer", answer)


def stream(task):
    with openai.OpenAI().responses.stream(**ask(QUESTION)) as streaming:
        text = "".join(event.delta for event in streaming if event.type == "response.output_text.delta")
        whole = streaming.get_final_response()
    check(text and whole.output_text == text and whole.status == "completed" and whole.usage.total_tokens > 0, "streamed", text, whole)


def tools(task):
    client = openai.OpenAI()
    text, names = tools_of(task)
    functions = [{"type": "function", "name": name, "parameters": parameters, "strict": True} for name, parameters in (("look_up", LOOK_UP), ("weigh", WEIGH))]
    answer = client.responses.create(**ask(text), tools=functions)
    calls = [item for item in answer.output if item.type == "function_call"]
    are_calls([(c.name, json.loads(c.arguments)) for c in calls], names)
    told = client.responses.create(
        model=MODEL, tools=functions, previous_response_id=answer.id,
        input=[{"type": "function_call_output", "call_id": c.call_id, "output": "an officer"} for c in calls])
    check(told.output_text and told.previous_response_id == answer.id, "with the results", told)


class Word(BaseModel):
    word: str
    grams: int


def structured(task):
    is_word(openai.OpenAI().responses.parse(**ask(QUESTION), text_format=Word).output_parsed.model_dump())


def image(task):
    answer = openai.OpenAI().responses.create(**ask([{"role": "user", "content": [
        {"type": "input_text", "text": ASK_PICTURE},
        {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64," + picture_base64(task)},
    ]}]))
    check(answer.usage.input_tokens > PICTURE_TOKENS, "usage", answer.usage)


def others(task):
    client = openai.OpenAI()
    counted = client.responses.input_tokens.count(**ask(QUESTION))
    check(counted.input_tokens > 0, "count", counted)
    kept = client.responses.create(**ask(QUESTION))
    check(client.responses.retrieve(kept.id).output_text == kept.output_text, "kept", kept)
    client.responses.delete(kept.id)


def errors(task):
    refused("a model without a price", lambda: openai.OpenAI().responses.create(model=UNPRICED, input=QUESTION),
            openai.BadRequestError, lambda e: e.code == "model_not_priced" and e.param == "model")
    refused("an unknown key", lambda: openai.OpenAI(api_key="pk_none").responses.create(**ask(QUESTION)),
            openai.AuthenticationError, lambda e: e.code == "invalid_api_key")


def cancel(task):
    streaming = openai.OpenAI().responses.create(**ask(QUESTION), stream=True)
    check(any(event.type == "response.output_text.delta" for event in streaming), "a piece of text")
    streaming.close()


def denial(task):
    refused("the refusal", lambda: openai.OpenAI().responses.create(**ask(QUESTION)),
            openai.APIStatusError, lambda e: e.status_code == 402 and e.code == "insufficient_quota")


SCENARIOS = {"chat": chat, "stream": stream, "tools": tools, "parallel tools": tools, "structured": structured,
             "image": image, "other routes": others, "errors": errors, "cancel": cancel, "denial": denial}
