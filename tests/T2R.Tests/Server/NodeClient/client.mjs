// OpenAI's own client for Node against a server: node client.mjs URL KEY. Writes what it got as JSON; an assertion that fails ends it with code 1.
import assert from "node:assert/strict";
import OpenAI from "openai";

const [url, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}v1`, apiKey, maxRetries: 0 });
const model = "tiny";
const endless = { logit_bias: { 2: -100 } };

const models = [];
for await (const entry of client.models.list()) {
  models.push(entry.id);
}
assert.deepEqual(models, [model]);
assert.equal((await client.models.retrieve(model)).owned_by, "t2r");

const completion = { model, prompt: "in the", max_tokens: 24, seed: 3, ...endless };
const whole = await client.completions.create({ ...completion, n: 2, logprobs: 2, echo: true });
assert.equal(whole.choices.length, 2);
assert.equal(whole.usage.completion_tokens, 48);
assert.equal(whole.choices[0].logprobs.tokens.length, whole.choices[0].logprobs.token_logprobs.length);

let text = "", usage = null;
for await (const part of await client.completions.create({ ...completion, stream: true, stream_options: { include_usage: true } })) {
  text += part.choices[0]?.text ?? "";
  usage = part.usage ?? usage;
}
assert.equal(usage.completion_tokens, 24);
assert.equal(whole.choices[0].text.endsWith(text), true);

const chat = { model, messages: [{ role: "system", content: "in" }, { role: "user", content: "the ab" }], max_completion_tokens: 24, seed: 5, ...endless };
const answer = await client.chat.completions.create({ ...chat, logprobs: true, top_logprobs: 1 });
assert.equal(answer.choices[0].logprobs.content.length, 24);
assert.equal(answer.choices[0].finish_reason, "length");

const streamed = await client.chat.completions.stream(chat).finalChatCompletion();
assert.equal(streamed.choices[0].message.content, answer.choices[0].message.content);

const left = await client.chat.completions.create({ ...chat, max_completion_tokens: 4000, stream: true });
for await (const part of left) {
  if (part.choices[0].delta.content) {
    break;
  }
}

await assert.rejects(client.completions.create({ ...completion, temperature: -1 }), OpenAI.BadRequestError);
await assert.rejects(client.completions.create({ ...completion, model: "gpt-4" }), OpenAI.NotFoundError);
await assert.rejects(new OpenAI({ baseURL: `${url}v1`, apiKey: "wrong", maxRetries: 0 }).models.list(), OpenAI.AuthenticationError);

console.log(JSON.stringify({ completion: text, chat: answer.choices[0].message.content }));
