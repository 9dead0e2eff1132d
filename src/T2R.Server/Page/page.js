"use strict";

const $ = id => document.getElementById(id);
const number = new Intl.NumberFormat("en");
let model = null;
let running = null;

function bytes(count) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let unit = 0;
  for (; count >= 999.5 && unit < units.length - 1; unit++) {
    count /= 1000;
  }
  return `${Number(count.toPrecision(3))} ${units[unit]}`;
}

function headers() {
  const key = $("key").value;
  return { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) };
}

async function call(path, options = {}) {
  const response = await fetch(path, { ...options, headers: headers() });
  if (response.status === 401) {
    $("keyLabel").hidden = false;
  }
  if (!response.ok) {
    const text = await response.text();
    let message = `HTTP ${response.status}`;
    try {
      message = JSON.parse(text).error.message;
    } catch {
      // Not the server's own words: a proxy's, perhaps.
    }
    throw new Error(message);
  }
  return response;
}

async function findModel() {
  model = (await (await call("v1/models")).json()).data[0];
  $("model").textContent = model.id + (model.state_bytes === undefined ? "" : `, ${bytes(model.state_bytes)} of state a sequence`);
}

// Each event of a stream, until it says that it is done.
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) {
      return;
    }
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines.filter(l => l.startsWith("data: "))) {
      if (line === "data: [DONE]") {
        return;
      }
      const event = JSON.parse(line.slice(6));
      if (event.error) {
        throw new Error(event.error.message);
      }
      yield event;
    }
  }
}

// What the server holds for a running sequence, by its own count.
async function measureState() {
  const text = await (await call("metrics")).text();
  const gauge = name => Number(text.match(new RegExp(`^${name} (\\S+)$`, "m"))?.[1]);
  const active = gauge("t2r_active_sequences");
  return active > 0 ? gauge("t2r_state_bytes") / active : null;
}

class Chart {
  points = [];

  add(tokens, state, cache) {
    this.points.push({ tokens, state, cache });
    const widest = Math.max(...this.points.map(p => p.tokens), 1);
    const highest = Math.max(...this.points.flatMap(p => [p.state, p.cache]), 1) * 1.08;
    const line = field => this.points.map((p, i) => `${i ? "L" : "M"}${(300 * p.tokens / widest).toFixed(1)} ${(150 - 150 * p[field] / highest).toFixed(1)}`).join("");
    $("stateLine").setAttribute("d", line("state"));
    $("cacheLine").setAttribute("d", line("cache"));
  }
}

async function generate() {
  const prompt = $("prompt").value;
  const chart = new Chart();
  const began = performance.now();
  let tokens = 0, first = null, last = null, unseen = "", painting = null, state = null, watching = true;
  running = new AbortController();
  $("hint").hidden = true;
  $("given").textContent = prompt;
  $("new").textContent = "";
  $("error").textContent = "";
  $("tokens").textContent = "0";
  $("speed").textContent = $("first").textContent = "–";

  // Tokens come faster than a page is laid out: what has come is shown some times a second.
  const paint = () => {
    painting = null;
    const atEnd = $("text").scrollHeight - $("text").scrollTop - $("text").clientHeight < 40;
    $("new").append(unseen);
    unseen = "";
    if (atEnd) {
      $("text").scrollTop = $("text").scrollHeight;
    }
    $("tokens").textContent = number.format(tokens);
    if (first !== null) {
      $("first").textContent = `${Math.round(first - began)} ms`;
      $("speed").textContent = tokens > 1 ? number.format(Math.round((tokens - 1) / (last - first) * 1000)) : "–";
    }
  };

  const plot = () => {
    if (state !== null && first !== null) {
      const cache = model.cache_bytes_per_token * tokens;
      $("state").textContent = bytes(state);
      $("cache").textContent = bytes(cache);
      chart.add(tokens, state, cache);
    }
  };

  const watch = (async () => {
    while (watching) {
      state = await measureState().catch(() => null) ?? state;
      plot();
      await new Promise(done => setTimeout(done, 100));
    }
  })();

  try {
    const response = await call("v1/completions", {
      method: "POST",
      signal: running.signal,
      body: JSON.stringify({
        model: model.id, prompt, stream: true, stream_options: { include_usage: true },
        temperature: Number($("temperature").value), max_tokens: Number($("most").value),
      }),
    });
    for await (const event of events(response)) {
      if (event.usage) {
        tokens = event.usage.completion_tokens;
      }
      for (const choice of event.choices.filter(c => c.text)) {
        last = performance.now();
        first ??= last;
        tokens++;
        unseen += choice.text;
      }
      painting ??= setTimeout(paint, 50);
    }
  } finally {
    watching = false;
    clearTimeout(painting);
    paint();
    await watch;
    state ??= model.state_bytes ?? null; // a text that ended before the server was asked
    plot();
  }
}

$("form").addEventListener("submit", async event => {
  event.preventDefault();
  if (running) {
    running.abort();
    return;
  }
  $("go").textContent = "Stop";
  try {
    if (!model) {
      await findModel();
    }
    await generate();
  } catch (error) {
    if (error.name !== "AbortError") {
      $("error").textContent = error.message;
    }
  } finally {
    running = null;
    $("go").textContent = "Continue";
  }
});

$("prompt").addEventListener("keydown", event => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    $("form").requestSubmit();
  }
});

findModel().catch(error => $("error").textContent = error.message);
