// What the pages do better with script: ages that move, live progress, uploads in pieces. Every page
// works without it.
"use strict";
const $ = (id) => document.getElementById(id);
const digits = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
const of = (n, noun) => digits(n) + " " + noun + (n === 1 ? "" : "s");
const size = (bytes) => {
  if (bytes < 1024) return bytes + " B";
  let unit = 0, value = bytes / 1024;
  while (value >= 1023.95 && unit < 3) { value /= 1024; unit++; }
  return value.toFixed(1) + " " + ["KB", "MB", "GB", "TB"][unit];
};
const span = (seconds) => {
  const s = Math.max(0, Math.floor(seconds));
  return s < 90 ? of(s, "second") : s < 5400 ? of(Math.floor((s + 30) / 60), "minute")
    : s < 172800 ? of(Math.floor((s + 1800) / 3600), "hour") : s < 5184000 ? of(Math.floor(s / 86400), "day")
    : s < 63072000 ? of(Math.floor(s / 2592000), "month") : of(Math.floor(s / 31536000), "year");
};

// Ages
setInterval(() => {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const age = (Date.now() - Date.parse(time.dateTime)) / 1000;
    time.textContent = age < 45 ? "just now" : span(age) + " ago";
  }
}, 20000);

// What the first page did not wait for
const later = document.querySelector("[data-later]");
if (later) {
  fetch(later.dataset.later).then((answer) => answer.text()).then((html) => {
    const part = new DOMParser().parseFromString(html, "text/html").querySelector("section");
    if (part) later.replaceWith(part);
  }, () => {});
}

// Bytes, rate and time left of something that moves
const pace = (bar, text, said) => {
  let seen = [], spoken = 0;
  return (done, total, verb) => {
    const now = performance.now();
    if (seen.length && done < seen.at(-1)[1]) seen = [];
    seen.push([now, done]);
    while (seen.length > 2 && now - seen[0][0] > 8000) seen.shift();
    const took = (now - seen[0][0]) / 1000, rate = took > 0.5 ? (done - seen[0][1]) / took : 0;
    bar.max = total || 1;
    bar.value = done;
    const left = rate > 0 && done < total ? `, ${size(rate)}/s, ${span((total - done) / rate)} left` : "";
    text.textContent = `${verb}: ${size(done)} of ${size(total)}${left}`;
    if (now - spoken > 10000) {
      spoken = now;
      said.textContent = `${verb}: ${Math.floor((100 * done) / (total || 1))} percent`;
    }
  };
};

// A job
const job = document.querySelector("[data-events]");
if (job) {
  const events = new EventSource(job.dataset.events);
  const move = pace($("bar"), $("bar-text"), $("bar-said"));
  let fresh = true;
  events.addEventListener("progress", (event) => {
    const { verb, done_bytes, total_bytes } = JSON.parse(event.data);
    if (total_bytes) move(done_bytes || 0, total_bytes, verb);
    else {
      $("bar").removeAttribute("value");
      $("bar-text").textContent = verb;
    }
  });
  events.addEventListener("line", (event) => {
    // The first connection repeats all lines that the page has.
    if (fresh) $("lines").textContent = "";
    fresh = false;
    $("lines").append(JSON.parse(event.data).text + "\n");
  });
  events.addEventListener("state", (event) => {
    if (!["queued", "running"].includes(JSON.parse(event.data).state)) {
      events.close();
      location.reload();
    }
  });
  events.addEventListener("error", () => { $("bar-text").textContent = "Connection lost, trying again"; });
}

// A name that has to be typed
for (const field of document.querySelectorAll("[data-typed]")) {
  const button = field.form.querySelector("[type=submit]");
  const check = () => { button.disabled = field.value !== field.dataset.typed; };
  field.addEventListener("input", check);
  check();
}

// An upload in pieces, which goes on after a cut
const PIECE = 8 << 20;
const upload = $("upload");
if (upload) {
  const [bar, text, said, pause, problem] = ["upload-bar", "upload-text", "upload-said", "upload-pause", "upload-problem"].map($);
  const move = pace(bar, text, said), button = upload.querySelector("[type=submit]");
  let paused = false, resume = () => {};
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on" : "Pause";
    if (!paused) resume();
  });
  const call = async (path, options) => {
    const answer = await fetch("/api/backup/uploads" + path, options), body = await answer.json().catch(() => ({}));
    if (answer.ok) return body;
    throw Object.assign(new Error([body.what || body.title || answer.statusText, body.hint].filter(Boolean).join(": ")), { status: answer.status });
  };
  const begin = async (file, key) => {
    const known = localStorage.getItem(key);
    const old = known && (await call("/" + known, {}).catch((error) => { if (!error.status) throw error; }));
    if (old && old.size_bytes === file.size) return { id: known, offset_bytes: old.offset_bytes };
    const body = JSON.stringify({ name: file.name, size_bytes: file.size });
    const made = await call("", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    localStorage.setItem(key, made.id);
    return made;
  };
  const send = async (file, key) => {
    let { id, offset_bytes: offset } = await begin(file, key), waits = 0;
    while (offset < file.size) {
      if (paused) { text.textContent = "Paused at " + size(offset); await new Promise((go) => { resume = go; }); }
      move(offset, file.size, "Uploading");
      try {
        const headers = { "Content-Type": "application/octet-stream", "Upload-Offset": String(offset) };
        ({ offset_bytes: offset } = await call("/" + id, { method: "PATCH", headers, body: file.slice(offset, offset + PIECE) }));
        waits = 0;
      } catch (error) {
        if (error.status && error.status !== 409) throw error;
        const seconds = Math.min(30, 2 ** waits++);
        text.textContent = `Connection lost, trying again in ${of(seconds, "second")}`;
        await new Promise((go) => setTimeout(go, seconds * 1000));
        offset = await call("/" + id, {}).then((now) => now.offset_bytes, (gone) => { if (gone.status) throw gone; return offset; });
      }
    }
    move(file.size, file.size, "Uploaded");
    localStorage.removeItem(key);
    return id;
  };
  upload.addEventListener("submit", async (event) => {
    event.preventDefault();
    const file = upload.file.files[0], max = Number(upload.dataset.max);
    problem.hidden = true;
    try {
      if (file.size > max) throw new Error(`This file has ${size(file.size)}; the limit is ${size(max)}`);
      button.disabled = true;
      $("uploading").hidden = false;
      upload.upload.value = await send(file, ["upload", file.name, file.size, file.lastModified].join(":"));
      upload.file.disabled = true;
      upload.enctype = "application/x-www-form-urlencoded";
      upload.submit();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = button.disabled = $("uploading").hidden = false;
      $("uploading").hidden = true;
    }
  });
}
