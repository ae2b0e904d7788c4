// LangChain with OpenAI's models, by chat completions.
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { langchain } from "./langchain.mjs";

export default langchain((options) => new ChatOpenAI({ model: "gpt-4o-mini", ...options }), {
  unpriced: (e) => e.status === 400 && e.code === "model_not_priced",
  unknownKey: (e) => e.status === 401 && e.code === "invalid_api_key",
  denial: (e) => e.status === 402 && e.code === "insufficient_quota",
}, () => new OpenAIEmbeddings({ model: "text-embedding-3-small" }));
