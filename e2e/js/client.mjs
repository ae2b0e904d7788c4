// OpenAI's own client against a node, with nothing changed but base URL and key.
// Arguments: URL of the node, a key, and a key whose budget is exhausted.
// Prints one line of JSON: what each case saw.
import OpenAI from "openai";

const [url, key, broke] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key });
const messages = [{ role: "user", content: "What is a purser?" }];
const seen = {};

const chat = await client.chat.completions.create({ model: "gpt-4o-mini", messages });
seen.chat = chat.choices[0].message.content.length > 0 && chat.usage.total_tokens > 0;

const stream = await client.chat.completions.create({ model: "gpt-4o-mini", messages, stream: true });
let text = "";
let finish = null;
let usageKeys = 0;
for await (const chunk of stream) {
  text += chunk.choices[0]?.delta?.content ?? "";
  finish = chunk.choices[0]?.finish_reason ?? finish;
  if ("usage" in chunk) usageKeys++;
}
seen.stream = text.length > 0 && finish !== null && usageKeys === 0;

let usage = null;
for await (const chunk of await client.chat.completions.create({
  model: "gpt-4o-mini", messages, stream: true, stream_options: { include_usage: true },
})) {
  usage = chunk.usage ?? usage;
}
seen.streamUsage = usage !== null && usage.completion_tokens > 0;

const tools = await client.chat.completions.create({
  model: "gpt-4o-mini", messages, tool_choice: "required",
  tools: [{ type: "function", function: { name: "look_up", parameters: { type: "object", properties: {} } } }],
});
seen.tools = tools.choices[0].message.tool_calls[0].function.name === "look_up";

const embeddings = await client.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"] });
seen.embeddings = embeddings.data.length === 2 && embeddings.data[0].embedding.length > 0;

const models = [];
for await (const model of client.models.list()) models.push(model.id);
seen.models = models.includes("gpt-4o-mini");

let tries = 0;
const counting = new OpenAI({
  baseURL: `${url}/v1`, apiKey: broke,
  fetch: (...args) => { tries++; return fetch(...args); },
});
try {
  await counting.chat.completions.create({ model: "gpt-4o-mini", messages });
  seen.refusal = false;
} catch (error) {
  seen.refusal = error.status === 402 && error.code === "insufficient_quota";
}
seen.tries = tries;

console.log(JSON.stringify(seen));
