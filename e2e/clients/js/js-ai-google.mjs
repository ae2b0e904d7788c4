// Vercel's AI SDK with Google's models. It takes the base URL as an option only.
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { vercel } from "./vercel.mjs";

export default vercel((options) => createGoogleGenerativeAI({ baseURL: process.env.baseURL, ...options }), "gemini-2.5-flash", "gemini-embedding-001");
