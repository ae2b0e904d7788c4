// What every client asks: the simulated provider calls the tools that a question names.
import { readFileSync } from "node:fs";

export const question = "What is a purser?";
export const askOneTool = "Please look_up the word.";
export const askTwoTools = "Please look_up the word and weigh it.";
export const askPicture = "What is this?";
export const pictureTokens = 500; // at least, at every provider
export const unpriced = "none-such";

const object = (properties) => ({ type: "object", properties, required: Object.keys(properties), additionalProperties: false });
export const lookUp = object({ word: { type: "string" } });
export const weigh = object({ grams: { type: "integer" } });
export const wordSchema = object({ word: { type: "string" }, grams: { type: "integer" } });

export const base64 = (path) => readFileSync(path).toString("base64");

export function check(ok, what, ...seen) {
  if (!ok) throw new Error(`${what}: ${seen.map((s) => JSON.stringify(s)).join(" ")}`.slice(0, 500));
}

export function isWord(value) {
  check(typeof value?.word === "string" && value.word !== "" && Number.isInteger(value.grams), "the answer is not of the schema", value);
}

// toolsOf is the question of a scenario and the tools that are to be called.
export function toolsOf(scenario) {
  return scenario === "parallel tools" ? [askTwoTools, ["look_up", "weigh"]] : [askOneTool, ["look_up"]];
}

// areCalls checks what was called: [name, input] for each.
export function areCalls(calls, names) {
  check(calls.length === names.length, "other calls than asked for", calls);
  calls.forEach(([name, input], i) => {
    const fits = name === "look_up" ? typeof input.word === "string" : Number.isInteger(input.grams);
    check(name === names[i] && fits, "a call that does not fit its schema", name, input);
  });
}

// refused runs what must fail, and checks the error it fails with.
export async function refused(what, work, fits) {
  let seen;
  try {
    seen = await work();
  } catch (error) {
    check(fits(error), `${what} came as`, error?.name, error?.status ?? error?.statusCode, error?.message);
    return;
  }
  check(false, `${what} was no error`, seen);
}
