"""What every client asks: the simulated provider calls the tools that a question names."""

import base64

QUESTION = "What is a purser?"
ASK_ONE_TOOL = "Please look_up the word."
ASK_TWO_TOOLS = "Please look_up the word and weigh it."
ASK_PICTURE = "What is this?"
PICTURE_TOKENS = 500  # at least, at every provider
UNPRICED = "none-such"


def schema(**types):
    properties = {name: {"type": kind} for name, kind in types.items()}
    return {"type": "object", "properties": properties, "required": list(types), "additionalProperties": False}


LOOK_UP = schema(word="string")
WEIGH = schema(grams="integer")
WORD = schema(word="string", grams="integer")


def picture_bytes(task):
    with open(task["picture"], "rb") as file:
        return file.read()


def picture_base64(task):
    return base64.b64encode(picture_bytes(task)).decode()


def check(ok, what, *seen):
    if not ok:
        raise AssertionError(f"{what}: {' '.join(map(repr, seen))}"[:500])


def is_word(value):
    check(isinstance(value.get("word"), str) and value["word"] and isinstance(value.get("grams"), int), "the answer is not of the schema", value)


def tools_of(task):
    """The question of a scenario and the tools that are to be called."""
    if task["scenario"] == "parallel tools":
        return ASK_TWO_TOOLS, ["look_up", "weigh"]
    return ASK_ONE_TOOL, ["look_up"]


def are_calls(calls, names):
    """Checks what was called: (name, arguments) for each."""
    check([name for name, _ in calls] == names, "other calls than asked for", calls)
    for name, arguments in calls:
        fits = isinstance(arguments.get("word"), str) if name == "look_up" else isinstance(arguments.get("grams"), int)
        check(fits, "a call that does not fit its schema", name, arguments)


def refused(what, work, kind, fits):
    """Runs what must fail, and checks the error it fails with."""
    try:
        seen = work()
    except kind as error:
        check(fits(error), f"{what} came as", error)
        return
    check(False, f"{what} was no error", seen)
