// The AI SDK: a tool loop or a structured answer, whole or streamed.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

globalThis.AI_SDK_LOG_WARNINGS = false;
const task = JSON.parse(process.argv[2]);
const { url, key: apiKey } = task;
const baseURL = `${url}/v1`;
const model = {
  openai: () => createOpenAI({ baseURL, apiKey }).chat(task.model),
  responses: () => createOpenAI({ baseURL, apiKey }).responses(task.model),
  compatible: () =>
    createOpenAICompatible({ name: "gateway", baseURL, apiKey, supportsStructuredOutputs: true })(task.model),
  anthropic: () => createAnthropic({ baseURL, apiKey })(task.model),
  google: () => createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey })(task.model),
}[task.with]();

const place = z.object({ city: z.string(), degrees: z.number() });
const ran = [];
const lookup = tool({
  description: "Tells the weather of a city.",
  inputSchema: z.object({ city: z.string() }),
  execute: async (input) => {
    ran.push(input);
    return `${input.city} is sunny`;
  },
});
const asked = { model, prompt: "How is Oslo?", maxRetries: 0, maxOutputTokens: 2000 };
if (task.task === "tools") Object.assign(asked, { tools: { lookup }, stopWhen: stepCountIs(4) });
else Object.assign(asked, { output: Output.object({ schema: place }) });

const told = {};
if (task.stream) {
  let failed;
  const result = streamText({ ...asked, onError: ({ error }) => { failed = error; } });
  for await (const part of result.fullStream) if (part.type === "error") failed = part.error;
  if (failed) throw failed;
  told.text = await result.text;
  if (task.task !== "tools") told.object = await result.output;
  told.usage = await result.usage;
} else {
  const result = await generateText(asked);
  told.text = result.text;
  if (task.task !== "tools") told.object = result.output;
  told.usage = result.usage;
}
console.log(JSON.stringify({ ...told, ran }));
