// OpenAI's own client, on chat completions.
import OpenAI from "openai";
import { areCalls, askPicture, base64, check, isWord, lookUp, pictureTokens, question, refused, toolsOf, unpriced, weigh, wordSchema } from "./given.mjs";

const model = "gpt-4o-mini";
const ask = (content) => ({ model, messages: [{ role: "user", content }] });

async function tools({ scenario }) {
  const client = new OpenAI();
  const [text, names] = toolsOf(scenario);
  const params = {
    ...ask(text),
    tools: [["look_up", lookUp], ["weigh", weigh]].map(([name, parameters]) => ({ type: "function", function: { name, parameters, strict: true } })),
  };
  const { message } = (await client.chat.completions.create(params)).choices[0];
  areCalls(message.tool_calls.map((c) => [c.function.name, JSON.parse(c.function.arguments)]), names);
  params.messages.push(message, ...message.tool_calls.map((c) => ({ role: "tool", tool_call_id: c.id, content: "an officer" })));
  const [told] = (await client.chat.completions.create(params)).choices;
  check(told.message.content.length > 0 && told.finish_reason === "stop", "with the results", told);
}

export default {
  async chat() {
    const answer = await new OpenAI().chat.completions.create(ask(question));
    check(answer.choices[0].message.content.length > 0 && answer.usage.total_tokens > 0, "answer", answer);
  },
  async stream() {
    const stream = new OpenAI().chat.completions.stream({ ...ask(question), stream_options: { include_usage: true } });
    let text = "";
    stream.on("content", (piece) => { text += piece; });
    const all = await stream.finalChatCompletion();
    check(text.length > 0 && all.choices[0].message.content === text && all.choices[0].finish_reason === "stop" && all.usage.completion_tokens > 0, "streamed", text, all);
  },
  tools,
  "parallel tools": tools,
  async structured() {
    const answer = await new OpenAI().chat.completions.parse({
      ...ask(question), response_format: { type: "json_schema", json_schema: { name: "word", strict: true, schema: wordSchema } },
    });
    isWord(answer.choices[0].message.parsed ?? JSON.parse(answer.choices[0].message.content));
  },
  async image({ picture }) {
    const answer = await new OpenAI().chat.completions.create(ask([
      { type: "text", text: askPicture }, { type: "image_url", image_url: { url: `data:image/png;base64,${base64(picture)}` } },
    ]));
    check(answer.usage.prompt_tokens > pictureTokens, "usage", answer.usage);
  },
  async "other routes"() {
    const client = new OpenAI();
    const made = await client.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"] });
    check(made.data.length === 2 && made.data[0].embedding.length > 0, "embeddings", made.data.length);
    const models = [];
    for await (const m of client.models.list()) models.push(m.id);
    check(models.includes(model) && (await client.models.retrieve(model)).id === model, "models", models);
    const legacy = await client.completions.create({ model: "gpt-3.5-turbo-instruct", prompt: "Once" });
    check(legacy.choices[0].text.length > 0, "completion", legacy);
  },
  async errors() {
    await refused("a model without a price", () => new OpenAI().chat.completions.create({ ...ask(question), model: unpriced }),
      (e) => e instanceof OpenAI.BadRequestError && e.status === 400 && e.code === "model_not_priced" && e.param === "model");
    await refused("an unknown key", () => new OpenAI({ apiKey: "pk_none" }).chat.completions.create(ask(question)),
      (e) => e instanceof OpenAI.AuthenticationError && e.code === "invalid_api_key");
  },
  async cancel() {
    const stream = await new OpenAI().chat.completions.create({ ...ask(question), stream: true });
    for await (const _ of stream) break; // which aborts the request
    check(stream.controller.signal.aborted, "the stream was not aborted");
  },
  async denial() {
    await refused("the refusal", () => new OpenAI().chat.completions.create(ask(question)),
      (e) => e instanceof OpenAI.APIError && e.status === 402 && e.code === "insufficient_quota");
  },
};
