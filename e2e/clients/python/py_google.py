"""Google's own client."""

from google import genai
from google.genai import errors as failures
from google.genai import types
from pydantic import BaseModel

from given import *

MODEL = "gemini-2.5-flash"


def generate(contents, model=MODEL, client=None, **config):
    client = client or genai.Client()  # which closes when nothing refers to it
    return client.models.generate_content(model=model, contents=contents, config=types.GenerateContentConfig(**config))


def chat(task):
    answer = generate(QUESTION)
    check(answer.text and answer.usage_metadata.candidates_token_count > 0 and answer.usage_metadata.thoughts_token_count > 0, "answer", answer)


def stream(task):
    client = genai.Client()
    chunks = list(client.models.generate_content_stream(model=MODEL, contents=QUESTION))
    last = chunks[-1]
    check(len(chunks) > 3 and "".join(c.text or "" for c in chunks) and last.candidates[0].finish_reason == "STOP" and last.usage_metadata.candidates_token_count > 0, "streamed", last)


def tools(task):
    text, names = tools_of(task)
    config = {
        "tools": [types.Tool(function_declarations=[
            types.FunctionDeclaration(name="look_up", parameters_json_schema=LOOK_UP), types.FunctionDeclaration(name="weigh", parameters_json_schema=WEIGH)])],
        "automatic_function_calling": types.AutomaticFunctionCallingConfig(disable=True),
    }
    contents = [types.Content(role="user", parts=[types.Part.from_text(text=text)])]
    answer = generate(contents, **config)
    are_calls([(c.name, c.args) for c in answer.function_calls], names)
    contents += [answer.candidates[0].content, types.Content(role="user", parts=[
        types.Part.from_function_response(name=c.name, response={"result": "an officer"}) for c in answer.function_calls])]
    told = generate(contents, **config)
    check(told.text, "with the results", told)


class Word(BaseModel):
    word: str
    grams: int


def structured(task):
    is_word(generate(QUESTION, response_mime_type="application/json", response_schema=Word).parsed.model_dump())


def image(task):
    answer = generate([ASK_PICTURE, types.Part.from_bytes(data=picture_bytes(task), mime_type="image/png")])
    check(answer.usage_metadata.prompt_token_count > PICTURE_TOKENS, "usage", answer.usage_metadata)


def others(task):
    client = genai.Client()
    counted = client.models.count_tokens(model=MODEL, contents=QUESTION)
    check(counted.total_tokens > 0, "count", counted)
    made = client.models.embed_content(model="gemini-embedding-001", contents=["one", "two"])
    check(len(made.embeddings) == 2 and made.embeddings[0].values, "embeddings", len(made.embeddings))
    models = [m.name for m in client.models.list()]
    check("models/" + MODEL in models, "models", models)


def errors(task):
    refused("a model without a price", lambda: generate(QUESTION, model=UNPRICED),
            failures.ClientError, lambda e: e.code == 400 and e.status == "INVALID_ARGUMENT" and "MODEL_NOT_PRICED" in str(e.details))
    refused("an unknown key", lambda: generate(QUESTION, client=genai.Client(api_key="pk_none")),
            failures.ClientError, lambda e: e.code == 401 and e.status == "UNAUTHENTICATED")


def cancel(task):
    client = genai.Client()
    streaming = client.models.generate_content_stream(model=MODEL, contents=QUESTION)
    check(next(streaming).text, "the first piece")
    streaming.close()


def denial(task):
    refused("the refusal", lambda: generate(QUESTION), failures.ClientError,
            lambda e: e.code == 402 and e.status == "FAILED_PRECONDITION" and "BudgetPerDay-empty" in str(e.details))


SCENARIOS = {"chat": chat, "stream": stream, "tools": tools, "parallel tools": tools, "structured": structured,
             "image": image, "other routes": others, "errors": errors, "cancel": cancel, "denial": denial}
