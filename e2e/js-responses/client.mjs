// OpenAI's own client and Vercel's AI SDK on /v1/responses, with nothing changed
// but base URL and key. Arguments: URL of the node, a key, and a key whose budget
// is exhausted. Prints one line of JSON: what each case saw.
import { createOpenAI } from "@ai-sdk/openai";
import { generateObject, generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

const [url, key, broke] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key });
const input = "What is a purser?";
const seen = {};

const whole = await client.responses.create({ model: "gpt-5-mini", input });
seen.response = whole.output_text.length > 0 && whole.usage.output_tokens_details.reasoning_tokens > 0;

const stream = client.responses.stream({ model: "gpt-5-mini", input });
let text = "";
stream.on("response.output_text.delta", (event) => { text += event.delta; });
const final = await stream.finalResponse();
seen.stream = text.length > 0 && final.output_text === text && final.usage.total_tokens > 0;

const next = await client.responses.create({ model: "gpt-5-mini", input: "And then?", previous_response_id: whole.id });
seen.previous = next.previous_response_id === whole.id;

const parsed = await client.responses.create({
  model: "gpt-4o-mini", input,
  text: { format: { type: "json_schema", name: "word", strict: true, schema: {
    type: "object", properties: { word: { type: "string" } }, required: ["word"], additionalProperties: false,
  } } },
});
seen.structured = typeof JSON.parse(parsed.output_text).word === "string";

const legacy = await client.completions.create({ model: "gpt-3.5-turbo-instruct", prompt: "Once" });
seen.completions = legacy.choices[0].text.length > 0;

const attempts = (run) => {
  const counted = { tries: 0, fetch: (...args) => { counted.tries++; return fetch(...args); } };
  return run(counted).then(() => ({ status: 200 }), (error) => error).then((error) => ({ error, tries: counted.tries }));
};

const sdk = await attempts((counted) => new OpenAI({ baseURL: `${url}/v1`, apiKey: broke, fetch: counted.fetch })
  .responses.create({ model: "gpt-5-mini", input }));
seen.refusal = sdk.error.status === 402 && sdk.error.code === "insufficient_quota";
seen.tries = sdk.tries;

const vercel = createOpenAI({ baseURL: `${url}/v1`, apiKey: key });
const model = vercel("gpt-5-mini");

const said = await generateText({ model, prompt: input });
seen.aiText = said.text.length > 0 && said.usage.outputTokens > 0;

let streamed = "";
const streaming = streamText({ model, prompt: input });
for await (const piece of streaming.textStream) streamed += piece;
seen.aiStream = streamed.length > 0 && (await streaming.usage).outputTokens > 0;

const looked = await generateText({
  model, prompt: "please look_up the word", stopWhen: stepCountIs(2),
  tools: { look_up: tool({ description: "a word", inputSchema: z.object({ word: z.string() }), execute: async () => "an officer" }) },
});
seen.aiTools = looked.steps.length === 2 && looked.steps[0].toolCalls[0].toolName === "look_up" && looked.text.length > 0;

const made = await generateObject({ model, prompt: input, schema: z.object({ word: z.string() }) });
seen.aiObject = typeof made.object.word === "string";

const ai = await attempts((counted) => generateText({
  model: createOpenAI({ baseURL: `${url}/v1`, apiKey: broke, fetch: counted.fetch })("gpt-5-mini"), prompt: input,
}));
seen.aiRefusal = ai.error.statusCode === 402;
seen.aiTries = ai.tries;

console.log(JSON.stringify(seen));
