// Reads questions as JSON lines and prints what @pydantic/genai-prices says each
// answer costs: its extractors read the usage, its prices are the bundled ones.
//
//	{"id", "provider", "flavor", "model", "at", "answers": [text], "add": {unit: count}}
//	{"id", "costs": [decimal]} or {"id", "error"}
//
// An answer is JSON, or a stream of server-sent events, which this file puts
// together by itself. "add" is usage that no extractor reads. A cost is a double;
// its decimal form here is exact.
import { calcPrice, extractUsage, findProvider } from '@pydantic/genai-prices'
import { createInterface } from 'node:readline'

function events(text) {
  return text.split(/\r?\n\r?\n/)
    .map(event => event.split(/\r?\n/).filter(line => line.startsWith('data:')).map(line => line.slice(5).trim()).join('\n'))
    .filter(data => data !== '' && data !== '[DONE]')
    .map(data => JSON.parse(data))
}

// whole is the answer that a stream amounts to, as far as its usage goes: the
// last that was said of each count.
function whole(text) {
  if (text.trimStart().startsWith('{')) return JSON.parse(text)
  let answer = {}
  for (const event of events(text)) {
    if (event.message?.usage) answer = structuredClone(event.message)
    else if (event.response?.usage) answer = event.response
    else if (event.type === 'message_delta') {
      for (const [name, count] of Object.entries(event.usage ?? {})) if (count !== null) answer.usage[name] = count
    } else if (event.usage || event.usageMetadata) answer = event
  }
  return answer
}

function cost(question, text, add) {
  const provider = findProvider({ providerId: question.provider })
  const { usage } = extractUsage(provider, whole(text), question.flavor)
  for (const [unit, count] of Object.entries(add ?? {})) usage[unit] = (usage[unit] ?? 0) + count
  const price = calcPrice(usage, question.model, { providerId: question.provider, timestamp: new Date(question.at) })
  if (price === null) throw new Error(`no price for ${question.provider}/${question.model}`)
  return exact(price.total_price)
}

// exact is all the digits of a double below 1e21 with no bit below 2^-100; a
// price above a pico-dollar has none.
function exact(x) {
  const text = x.toFixed(100)
  if (Number(text) !== x) throw new Error(`${x} has more digits than are printed`)
  return text
}

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line)
  try {
    console.log(JSON.stringify({ id: question.id, costs: question.answers.map((text, i) => cost(question, text, i === 0 ? question.add : undefined)) }))
  } catch (error) {
    console.log(JSON.stringify({ id: question.id, error: error.message }))
  }
}
