// Vercel's AI SDK with Anthropic's models.
import { createAnthropic } from "@ai-sdk/anthropic";
import { vercel } from "./vercel.mjs";

export default vercel(createAnthropic, "claude-haiku-4-5");
