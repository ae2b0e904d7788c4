// What LangChain does with any provider: make(options) makes one of its models,
// fits are the provider's errors,
// embeddings() what makes its embeddings, if there is such a thing.
import { HumanMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { z } from "zod";
import { areCalls, askPicture, base64, check, isWord, pictureTokens, question, refused, toolsOf, unpriced } from "./given.mjs";

export function langchain(make, fits, embeddings) {
  async function tools({ scenario }) {
    const [text, names] = toolsOf(scenario);
    const model = make().bindTools([
      tool(async () => "an officer", { name: "look_up", description: "a word", schema: z.object({ word: z.string() }) }),
      tool(async () => "an officer", { name: "weigh", description: "its weight", schema: z.object({ grams: z.int() }) }),
    ]);
    const messages = [new HumanMessage(text)];
    const answer = await model.invoke(messages);
    areCalls(answer.tool_calls.map((c) => [c.name, c.args]), names);
    messages.push(answer, ...answer.tool_calls.map((c) => new ToolMessage({ content: "an officer", tool_call_id: c.id })));
    const told = await model.invoke(messages);
    check(told.text.length > 0 && told.tool_calls.length === 0, "with the results", told);
  }

  return {
    async chat() {
      const answer = await make().invoke(question);
      check(answer.text.length > 0 && answer.usage_metadata.output_tokens > 0, "answer", answer);
    },
    async stream() {
      let all = null, pieces = 0;
      for await (const chunk of await make().stream(question)) {
        all = all === null ? chunk : all.concat(chunk);
        pieces++;
      }
      check(pieces > 3 && all.text.length > 0 && all.usage_metadata.output_tokens > 0, "streamed", all);
    },
    tools,
    "parallel tools": tools,
    async structured() {
      isWord(await make().withStructuredOutput(z.object({ word: z.string(), grams: z.int() }), { name: "word", method: "jsonSchema" }).invoke(question));
    },
    async image({ picture }) {
      const answer = await make().invoke([new HumanMessage({ content: [
        { type: "text", text: askPicture }, { type: "image_url", image_url: { url: `data:image/png;base64,${base64(picture)}` } },
      ] })]);
      check(answer.usage_metadata.input_tokens > pictureTokens, "usage", answer.usage_metadata);
    },
    "other routes": embeddings === undefined ? "the provider has no other calls" : async () => {
      const made = await embeddings().embedDocuments(["one", "two"]);
      check(made.length === 2 && made[0].length > 0, "embeddings", made.length);
    },
    async errors() {
      await refused("a model without a price", () => make({ model: unpriced }).invoke(question), fits.unpriced);
      await refused("an unknown key", () => make({ apiKey: "pk_none" }).invoke(question), fits.unknownKey);
    },
    async cancel() {
      const abort = new AbortController();
      await refused("leaving", async () => {
        for await (const _ of await make().stream(question, { signal: abort.signal })) abort.abort();
      }, () => abort.signal.aborted);
    },
    async denial() {
      await refused("the refusal", () => make().invoke(question), fits.denial);
    },
  };
}
