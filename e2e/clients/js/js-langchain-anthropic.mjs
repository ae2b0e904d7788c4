// LangChain with Anthropic's models.
import { ChatAnthropic } from "@langchain/anthropic";
import { langchain } from "./langchain.mjs";

export default langchain((options) => new ChatAnthropic({ model: "claude-haiku-4-5", maxTokens: 1024, ...options }), {
  unpriced: (e) => e.status === 400 && e.error.error.details.error_code === "model_not_priced",
  unknownKey: (e) => e.status === 401 && e.error.error.type === "authentication_error",
  denial: (e) => e.status === 402 && e.error.error.type === "billing_error",
});
