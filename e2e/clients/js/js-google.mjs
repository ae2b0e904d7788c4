// Google's own client.
import { ApiError, GoogleGenAI } from "@google/genai";
import { areCalls, askPicture, base64, check, isWord, lookUp, pictureTokens, question, refused, toolsOf, unpriced, weigh, wordSchema } from "./given.mjs";

const model = "gemini-2.5-flash";
const ask = (contents, config) => ({ model, contents, config });

async function tools({ scenario }) {
  const client = new GoogleGenAI({});
  const [text, names] = toolsOf(scenario);
  const config = { tools: [{ functionDeclarations: [{ name: "look_up", parametersJsonSchema: lookUp }, { name: "weigh", parametersJsonSchema: weigh }] }] };
  const contents = [{ role: "user", parts: [{ text }] }];
  const answer = await client.models.generateContent(ask(contents, config));
  areCalls(answer.functionCalls.map((c) => [c.name, c.args]), names);
  contents.push(answer.candidates[0].content, {
    role: "user", parts: answer.functionCalls.map((c) => ({ functionResponse: { name: c.name, response: { result: "an officer" } } })),
  });
  const told = await client.models.generateContent(ask(contents, config));
  check(told.text.length > 0, "with the results", told);
}

const body = (error) => JSON.parse(error.message).error;

export default {
  async chat() {
    const answer = await new GoogleGenAI({}).models.generateContent(ask(question));
    check(answer.text.length > 0 && answer.usageMetadata.candidatesTokenCount > 0 && answer.usageMetadata.thoughtsTokenCount > 0, "answer", answer);
  },
  async stream() {
    let text = "", pieces = 0, last = null;
    for await (const chunk of await new GoogleGenAI({}).models.generateContentStream(ask(question))) {
      text += chunk.text ?? "";
      pieces++;
      last = chunk;
    }
    check(pieces > 3 && text.length > 0 && last.candidates[0].finishReason === "STOP" && last.usageMetadata.candidatesTokenCount > 0, "streamed", text, last);
  },
  tools,
  "parallel tools": tools,
  async structured() {
    const answer = await new GoogleGenAI({}).models.generateContent(ask(question, { responseMimeType: "application/json", responseJsonSchema: wordSchema }));
    isWord(JSON.parse(answer.text));
  },
  async image({ picture }) {
    const answer = await new GoogleGenAI({}).models.generateContent(ask([{ text: askPicture }, { inlineData: { mimeType: "image/png", data: base64(picture) } }]));
    check(answer.usageMetadata.promptTokenCount > pictureTokens, "usage", answer.usageMetadata);
  },
  async "other routes"() {
    const client = new GoogleGenAI({});
    const counted = await client.models.countTokens({ model, contents: question });
    check(counted.totalTokens > 0, "count", counted);
    const made = await client.models.embedContent({ model: "gemini-embedding-001", contents: ["one", "two"] });
    check(made.embeddings.length === 2 && made.embeddings[0].values.length > 0, "embeddings", made.embeddings.length);
    const models = [];
    for await (const m of await client.models.list()) models.push(m.name);
    check(models.includes(`models/${model}`), "models", models);
  },
  async errors() {
    await refused("a model without a price", () => new GoogleGenAI({}).models.generateContent({ ...ask(question), model: unpriced }),
      (e) => e instanceof ApiError && e.status === 400 && body(e).status === "INVALID_ARGUMENT" && e.message.includes("MODEL_NOT_PRICED"));
    await refused("an unknown key", () => new GoogleGenAI({ apiKey: "pk_none" }).models.generateContent(ask(question)),
      (e) => e instanceof ApiError && e.status === 401 && body(e).status === "UNAUTHENTICATED");
  },
  async cancel() {
    const abort = new AbortController();
    await refused("leaving", async () => {
      for await (const _ of await new GoogleGenAI({}).models.generateContentStream(ask(question, { abortSignal: abort.signal }))) abort.abort();
    }, (e) => e.name === "AbortError");
  },
  async denial() {
    await refused("the refusal", () => new GoogleGenAI({}).models.generateContent(ask(question)),
      (e) => e instanceof ApiError && e.status === 402 && body(e).status === "FAILED_PRECONDITION" && body(e).details[1].violations[0].quotaId === "BudgetPerDay-empty");
  },
};
