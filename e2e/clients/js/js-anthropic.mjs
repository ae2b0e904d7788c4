// Anthropic's own client.
import Anthropic from "@anthropic-ai/sdk";
import { areCalls, askPicture, base64, check, isWord, lookUp, pictureTokens, question, refused, toolsOf, unpriced, weigh, wordSchema } from "./given.mjs";

const ask = (content) => ({ model: "claude-haiku-4-5", max_tokens: 1024, messages: [{ role: "user", content }] });

async function tools({ scenario }) {
  const client = new Anthropic();
  const [text, names] = toolsOf(scenario);
  const params = { ...ask(text), tools: [{ name: "look_up", input_schema: lookUp }, { name: "weigh", input_schema: weigh }] };
  const answer = await client.messages.create(params);
  const calls = answer.content.filter((block) => block.type === "tool_use");
  areCalls(calls.map((c) => [c.name, c.input]), names);
  params.messages.push(
    { role: "assistant", content: answer.content },
    { role: "user", content: calls.map((c) => ({ type: "tool_result", tool_use_id: c.id, content: "an officer" })) },
  );
  const told = await client.messages.create(params);
  check(told.content[0].text.length > 0 && told.stop_reason === "end_turn", "with the results", told);
}

export default {
  async chat() {
    const answer = await new Anthropic().messages.create(ask(question));
    check(answer.content[0].text.length > 0 && answer.stop_reason === "end_turn" && answer.usage.output_tokens > 0, "answer", answer);
  },
  async stream() {
    const stream = new Anthropic().messages.stream(ask(question));
    let text = "";
    stream.on("text", (piece) => { text += piece; });
    const all = await stream.finalMessage();
    check(text.length > 0 && all.content[0].text === text && all.stop_reason === "end_turn" && all.usage.output_tokens > 5, "streamed", text, all);
  },
  tools,
  "parallel tools": tools,
  async structured() {
    const answer = await new Anthropic().messages.parse({ ...ask(question), output_config: { format: { type: "json_schema", schema: wordSchema } } });
    isWord(answer.parsed_output ?? JSON.parse(answer.content[0].text));
  },
  async image({ picture }) {
    const answer = await new Anthropic().messages.create(ask([
      { type: "image", source: { type: "base64", media_type: "image/png", data: base64(picture) } }, { type: "text", text: askPicture },
    ]));
    check(answer.usage.input_tokens > pictureTokens, "usage", answer.usage);
  },
  async "other routes"() {
    const client = new Anthropic();
    const { model, messages } = ask(question);
    const counted = await client.messages.countTokens({ model, messages });
    check(counted.input_tokens > 0, "count", counted);
    const models = [];
    for await (const m of client.models.list()) models.push(m.id);
    check(models.includes(model), "models", models);
    const bearer = new Anthropic({ apiKey: null, authToken: process.env.ANTHROPIC_API_KEY });
    check((await bearer.messages.create(ask(question))).stop_reason === "end_turn", "a key as bearer token");
  },
  async errors() {
    await refused("a model without a price", () => new Anthropic().messages.create({ ...ask(question), model: unpriced }),
      (e) => e instanceof Anthropic.BadRequestError && e.error.error.details.error_code === "model_not_priced" && e.requestID);
    await refused("an unknown key", () => new Anthropic({ apiKey: "pk_none" }).messages.create(ask(question)),
      (e) => e instanceof Anthropic.AuthenticationError && e.error.error.type === "authentication_error");
  },
  async cancel() {
    const stream = await new Anthropic().messages.create({ ...ask(question), stream: true });
    for await (const event of stream) if (event.type === "content_block_delta") break; // which aborts the request
    check(stream.controller.signal.aborted, "the stream was not aborted");
  },
  async denial() {
    await refused("the refusal", () => new Anthropic().messages.create(ask(question)),
      (e) => e instanceof Anthropic.APIError && e.status === 402 && e.error.error.type === "billing_error" && e.error.error.details.error_code === "spend_limit_reached");
  },
};
