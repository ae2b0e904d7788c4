// What the AI SDK does with any provider: make(options) makes the provider, name and
// embedding are models of it.
import { APICallError, Output, embedMany, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { areCalls, askPicture, check, isWord, pictureTokens, question, refused, toolsOf, unpriced } from "./given.mjs";
import { readFileSync } from "node:fs";

export function vercel(make, name, embedding) {
  const model = () => make()(name);

  async function tools({ scenario }) {
    const [prompt, names] = toolsOf(scenario);
    const told = await generateText({
      model: model(), prompt, stopWhen: stepCountIs(2),
      tools: {
        look_up: tool({ description: "a word", inputSchema: z.object({ word: z.string() }), execute: async () => "an officer" }),
        weigh: tool({ description: "its weight", inputSchema: z.object({ grams: z.int() }), execute: async () => "an officer" }),
      },
    });
    check(told.steps.length === 2 && told.text.length > 0, "with the results", told.steps.length, told.text);
    areCalls(told.steps[0].toolCalls.map((c) => [c.toolName, c.input]), names);
    check(told.steps[0].toolResults.length === names.length, "results", told.steps[0].toolResults);
  }

  return {
    async chat() {
      const said = await generateText({ model: model(), prompt: question });
      check(said.text.length > 0 && said.usage.outputTokens > 0 && said.finishReason === "stop", "answer", said.text, said.usage);
    },
    async stream() {
      const streaming = streamText({ model: model(), prompt: question, onError() {} });
      let text = "", pieces = 0;
      for await (const piece of streaming.textStream) {
        text += piece;
        pieces++;
      }
      check(pieces > 3 && (await streaming.text) === text && (await streaming.usage).outputTokens > 0 && (await streaming.finishReason) === "stop", "streamed", text);
    },
    tools,
    "parallel tools": tools,
    async structured() {
      const made = await generateText({ model: model(), prompt: question, output: Output.object({ schema: z.object({ word: z.string(), grams: z.int() }) }) });
      isWord(made.output);
    },
    async image({ picture }) {
      const said = await generateText({ model: model(), messages: [{ role: "user", content: [
        { type: "text", text: askPicture }, { type: "file", mediaType: "image/png", data: readFileSync(picture) },
      ] }] });
      check(said.usage.inputTokens > pictureTokens, "usage", said.usage);
    },
    "other routes": embedding === undefined ? "the provider has no other calls" : async () => {
      const made = await embedMany({ model: make().textEmbeddingModel(embedding), values: ["one", "two"] });
      check(made.embeddings.length === 2 && made.embeddings[0].length > 0, "embeddings", made.embeddings.length);
    },
    async errors() {
      await refused("a model without a price", () => generateText({ model: make()(unpriced), prompt: question }),
        (e) => APICallError.isInstance(e) && e.statusCode === 400 && !e.isRetryable && /model_not_priced/i.test(e.responseBody) && e.message.includes("no price"));
      await refused("an unknown key", () => generateText({ model: make({ apiKey: "pk_none" })(name), prompt: question }),
        (e) => APICallError.isInstance(e) && e.statusCode === 401 && !e.isRetryable);
    },
    async cancel() {
      const abort = new AbortController();
      let aborted = false;
      const streaming = streamText({ model: model(), prompt: question, abortSignal: abort.signal, onAbort() { aborted = true; }, onError() {} });
      for await (const _ of streaming.textStream) abort.abort();
      check(aborted, "the stream was not aborted");
    },
    async denial() {
      await refused("the refusal", () => generateText({ model: model(), prompt: question }),
        (e) => APICallError.isInstance(e) && e.statusCode === 402 && !e.isRetryable && e.message.length > 0);
    },
  };
}
