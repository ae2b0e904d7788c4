"""What LangChain does with any provider."""

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from given import *


@tool
def look_up(word: str) -> str:
    """A word."""
    return "an officer"


@tool
def weigh(grams: int) -> str:
    """Its weight."""
    return "an officer"


class Word(BaseModel):
    """A word and its weight."""

    word: str
    grams: int


def scenarios(make, failure, fits, embeddings=None):
    """The scenarios for the models that make(**options) makes. The provider's errors are
    of the class failure; fits says by scenario which of them. embeddings() makes what
    embeds texts, if the provider has it."""

    def chat(task):
        answer = make().invoke(QUESTION)
        check(answer.text and answer.usage_metadata["output_tokens"] > 0, "answer", answer)

    def stream(task):
        whole, pieces = None, 0
        for chunk in make().stream(QUESTION):
            whole = chunk if whole is None else whole + chunk
            pieces += 1
        check(pieces > 3 and whole.text and whole.usage_metadata["output_tokens"] > 0, "streamed", whole)

    def tools(task):
        text, names = tools_of(task)
        model = make().bind_tools([look_up, weigh])
        messages = [HumanMessage(text)]
        answer = model.invoke(messages)
        are_calls([(c["name"], c["args"]) for c in answer.tool_calls], names)
        messages += [answer, *(ToolMessage("an officer", tool_call_id=c["id"]) for c in answer.tool_calls)]
        told = model.invoke(messages)
        check(told.text and not told.tool_calls, "with the results", told)

    def structured(task):
        is_word(make().with_structured_output(Word, method="json_schema").invoke(QUESTION).model_dump())

    def image(task):
        answer = make().invoke([HumanMessage([
            {"type": "text", "text": ASK_PICTURE},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64," + picture_base64(task)}},
        ])])
        check(answer.usage_metadata["input_tokens"] > PICTURE_TOKENS, "usage", answer.usage_metadata)

    def others(task):
        made = embeddings().embed_documents(["one", "two"])
        check(len(made) == 2 and made[0], "embeddings", len(made))

    def errors(task):
        refused("a model without a price", lambda: make(model=UNPRICED).invoke(QUESTION), failure, fits["unpriced"])
        refused("an unknown key", lambda: make(api_key="pk_none").invoke(QUESTION), failure, fits["unknown key"])

    def cancel(task):
        streaming = make().stream(QUESTION)
        check(next(streaming) is not None, "the first piece")
        streaming.close()

    def denial(task):
        refused("the refusal", lambda: make().invoke(QUESTION), failure, fits["denial"])

    return {"chat": chat, "stream": stream, "tools": tools, "parallel tools": tools, "structured": structured,
            "image": image, "other routes": others if embeddings else "the provider has no other calls", "errors": errors, "cancel": cancel, "denial": denial}
