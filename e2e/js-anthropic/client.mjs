// Anthropic's own client against a node, with nothing changed but base URL and key.
// Arguments: URL of the node, a key, and a key whose budget is exhausted.
// Prints one line of JSON: what each case saw.
import Anthropic from "@anthropic-ai/sdk";

const [url, key, broke] = process.argv.slice(2);
const client = new Anthropic({ baseURL: url, apiKey: key });
const model = "claude-haiku-4-5";
const ask = (content) => ({ model, max_tokens: 512, messages: [{ role: "user", content }] });
const seen = {};

const message = await client.messages.create(ask("What is a purser?"));
seen.message = message.content[0].text.length > 0 && message.usage.output_tokens > 0;

const bearer = new Anthropic({ baseURL: url, apiKey: null, authToken: key });
seen.bearer = (await bearer.messages.create(ask("Who goes there?"))).stop_reason === "end_turn";

let text = "";
const stream = client.messages.stream(ask("Tell me a story."));
stream.on("text", (piece) => { text += piece; });
const told = await stream.finalMessage();
seen.stream = told.content[0].text === text && text.length > 0 && told.usage.output_tokens > 5;

const tools = await client.messages.create({
  ...ask("Look it up."), tool_choice: { type: "any" },
  tools: [{ name: "look_up", input_schema: { type: "object", properties: { word: { type: "string" } } } }],
});
seen.tools = tools.content[0].type === "tool_use" && tools.content[0].name === "look_up";

const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const image = await client.messages.create(ask([
  { type: "image", source: { type: "base64", media_type: "image/png", data: dot } },
  { type: "text", text: "What is this?" },
]));
seen.image = image.content[0].text.length > 0;

seen.count = (await client.messages.countTokens({ model, messages: ask("How many?").messages })).input_tokens > 0;

const models = [];
for await (const m of client.models.list()) models.push(m.id);
seen.models = models.includes(model);

let tries = 0;
const poor = new Anthropic({ baseURL: url, apiKey: broke, fetch: (...args) => { tries++; return fetch(...args); } });
try {
  await poor.messages.create(ask("What is a purser?"));
  seen.refusal = false;
} catch (error) {
  seen.refusal = error instanceof Anthropic.APIError && error.status === 402 &&
    error.error.error.type === "billing_error" && error.error.error.details.error_code === "spend_limit_reached";
}
seen.tries = tries;

console.log(JSON.stringify(seen));
