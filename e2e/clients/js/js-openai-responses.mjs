// OpenAI's own client, on responses.
import OpenAI from "openai";
import { areCalls, askPicture, base64, check, isWord, lookUp, pictureTokens, question, refused, toolsOf, unpriced, weigh, wordSchema } from "./given.mjs";

const model = "gpt-5-mini";
const ask = (input) => ({ model, input });

async function tools({ scenario }) {
  const client = new OpenAI();
  const [text, names] = toolsOf(scenario);
  const tools = [["look_up", lookUp], ["weigh", weigh]].map(([name, parameters]) => ({ type: "function", name, parameters, strict: true }));
  const answer = await client.responses.create({ ...ask(text), tools });
  const calls = answer.output.filter((item) => item.type === "function_call");
  areCalls(calls.map((c) => [c.name, JSON.parse(c.arguments)]), names);
  const told = await client.responses.create({
    model, tools, previous_response_id: answer.id,
    input: calls.map((c) => ({ type: "function_call_output", call_id: c.call_id, output: "an officer" })),
  });
  check(told.output_text.length > 0 && told.previous_response_id === answer.id, "with the results", told);
}

export default {
  async chat() {
    const answer = await new OpenAI().responses.create(ask(question));
    check(answer.output_text.length > 0 && answer.usage.output_tokens_details.reasoning_tokens > 0, "answer", answer);
  },
  async stream() {
    const stream = new OpenAI().responses.stream(ask(question));
    let text = "";
    stream.on("response.output_text.delta", (event) => { text += event.delta; });
    const all = await stream.finalResponse();
    check(text.length > 0 && all.output_text === text && all.status === "completed" && all.usage.total_tokens > 0, "streamed", text, all);
  },
  tools,
  "parallel tools": tools,
  async structured() {
    const answer = await new OpenAI().responses.parse({ ...ask(question), text: { format: { type: "json_schema", name: "word", strict: true, schema: wordSchema } } });
    isWord(answer.output_parsed ?? JSON.parse(answer.output_text));
  },
  async image({ picture }) {
    const answer = await new OpenAI().responses.create(ask([{ role: "user", content: [
      { type: "input_text", text: askPicture }, { type: "input_image", detail: "auto", image_url: `data:image/png;base64,${base64(picture)}` },
    ] }]));
    check(answer.usage.input_tokens > pictureTokens, "usage", answer.usage);
  },
  async "other routes"() {
    const client = new OpenAI();
    const counted = await client.responses.inputTokens.count(ask(question));
    check(counted.input_tokens > 0, "count", counted);
    const kept = await client.responses.create(ask(question));
    const read = await client.responses.retrieve(kept.id);
    check(read.output_text === kept.output_text, "kept", read);
    await client.responses.delete(kept.id);
  },
  async errors() {
    await refused("a model without a price", () => new OpenAI().responses.create({ ...ask(question), model: unpriced }),
      (e) => e instanceof OpenAI.BadRequestError && e.status === 400 && e.code === "model_not_priced" && e.param === "model");
    await refused("an unknown key", () => new OpenAI({ apiKey: "pk_none" }).responses.create(ask(question)),
      (e) => e instanceof OpenAI.AuthenticationError && e.code === "invalid_api_key");
  },
  async cancel() {
    const stream = await new OpenAI().responses.create({ ...ask(question), stream: true });
    for await (const event of stream) if (event.type === "response.output_text.delta") break; // which aborts the request
    check(stream.controller.signal.aborted, "the stream was not aborted");
  },
  async denial() {
    await refused("the refusal", () => new OpenAI().responses.create(ask(question)),
      (e) => e instanceof OpenAI.APIError && e.status === 402 && e.code === "insufficient_quota");
  },
};
