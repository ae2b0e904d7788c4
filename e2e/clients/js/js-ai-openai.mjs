// Vercel's AI SDK with OpenAI's models, which it asks by responses.
import { createOpenAI } from "@ai-sdk/openai";
import { vercel } from "./vercel.mjs";

export default vercel(createOpenAI, "gpt-5-mini", "text-embedding-3-small");
