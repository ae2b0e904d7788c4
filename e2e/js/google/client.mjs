// Google's own client against a node, with nothing changed but base URL and key.
// Arguments: URL of the node, a key, and a key whose budget is exhausted.
// Prints one line of JSON: what each case saw.
import { FunctionCallingConfigMode, GoogleGenAI } from "@google/genai";

const [url, key, broke] = process.argv.slice(2);
const client = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url } });
const model = "gemini-2.5-flash";
const contents = "What is a purser?";
const seen = {};

const answer = await client.models.generateContent({ model, contents });
seen.generate = answer.text.length > 0 && answer.usageMetadata.thoughtsTokenCount > 0;

let text = "";
let last = null;
for await (const chunk of await client.models.generateContentStream({ model, contents })) {
  text += chunk.text ?? "";
  last = chunk;
}
seen.stream = text.length > 0 && last.candidates[0].finishReason === "STOP" && last.usageMetadata.candidatesTokenCount > 0;

const tools = await client.models.generateContent({
  model, contents,
  config: {
    tools: [{ functionDeclarations: [{ name: "look_up", parametersJsonSchema: { type: "object", properties: { word: { type: "string" } } } }] }],
    toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY } },
  },
});
seen.tools = tools.functionCalls[0].name === "look_up";

const structured = await client.models.generateContent({
  model, contents,
  config: { responseMimeType: "application/json", responseSchema: { type: "OBJECT", properties: { word: { type: "STRING" } } } },
});
seen.structured = typeof JSON.parse(structured.text) === "object";

const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAC0lEQVR4nGNgQAcAABIAAT+Hs8EAAAAASUVORK5CYII=";
const picture = await client.models.generateContent({
  model, contents: [{ text: "What is this?" }, { inlineData: { mimeType: "image/png", data: pixel } }],
});
seen.picture = picture.usageMetadata.promptTokenCount > 258;

seen.count = (await client.models.countTokens({ model, contents })).totalTokens > 0;

const embeddings = await client.models.embedContent({ model: "gemini-embedding-001", contents: ["one", "two"] });
seen.embeddings = embeddings.embeddings.length === 2 && embeddings.embeddings[0].values.length > 0;

const models = [];
for await (const m of await client.models.list()) models.push(m.name);
seen.models = models.includes(`models/${model}`);

const abort = new AbortController();
try {
  for await (const _ of await client.models.generateContentStream({ model, contents, config: { abortSignal: abort.signal } })) abort.abort();
  seen.cancel = abort.signal.aborted; // all of it may have come in one piece
} catch (error) {
  seen.cancel = abort.signal.aborted;
}

try {
  await client.models.generateContent({ model, contents, config: { tools: [{ googleSearch: {} }] } });
  seen.errors = false;
} catch (error) {
  seen.errors = error.status === 400 && error.message.includes("tools[0].googleSearch");
}

let tries = 0;
const real = globalThis.fetch;
globalThis.fetch = (...args) => { tries++; return real(...args); };
const counting = new GoogleGenAI({ apiKey: broke, httpOptions: { baseUrl: url, retryOptions: { attempts: 4 } } });
try {
  await counting.models.generateContent({ model, contents });
  seen.refusal = false;
} catch (error) {
  const body = JSON.parse(error.message).error;
  seen.refusal = error.status === 402 && body.status === "FAILED_PRECONDITION" && body.details[1].violations[0].quotaId === "BudgetPerDay-empty";
}
seen.tries = tries;

console.log(JSON.stringify(seen));
