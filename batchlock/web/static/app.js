// Times in the reader's zone, uploads with progress, live runs. Every form works without this script.
"use strict";

const csrf = document.querySelector("meta[name=csrf]").content;

function localTimes(within) {
  const formatter = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  for (const time of within.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.getTime())) {
      time.textContent = formatter.format(moment);
      time.title = time.dateTime;
    }
  }
}

function upload(form) {
  const input = form.querySelector("input[type=file]");
  const bar = form.querySelector("progress");
  const message = form.querySelector("[data-message]");
  const button = form.querySelector("button");

  function send(files) {
    if (!files.length || button.disabled) return;
    const body = new FormData();
    for (const file of files) body.append("file", file, file.name);
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("X-CSRF-Token", csrf);
    request.setRequestHeader("Accept", "application/json");
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) bar.value = (100 * event.loaded) / event.total;
    };
    request.onload = () => {
      if (request.status === 200) {
        location.assign(JSON.parse(request.responseText).to);
        return;
      }
      const answer = new DOMParser().parseFromString(request.responseText, "text/html");
      const sentence = answer.querySelector("[role=alert]");
      fail(sentence ? sentence.textContent.trim() : `That did not work (${request.status}).`);
    };
    request.onerror = () => fail("The file did not arrive. Check your connection, then try again.");
    message.textContent = "";
    bar.hidden = false;
    bar.value = 0;
    button.disabled = true;
    request.send(body);
  }

  function fail(sentence) {
    message.textContent = sentence;
    bar.hidden = true;
    button.disabled = false;
    input.value = "";
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(input.files);
  });
  input.addEventListener("change", () => send(input.files));
  for (const name of ["dragenter", "dragover"]) {
    form.addEventListener(name, (event) => {
      event.preventDefault();
      form.classList.add("over");
    });
  }
  for (const name of ["dragleave", "drop"]) {
    form.addEventListener(name, (event) => {
      event.preventDefault();
      form.classList.remove("over");
    });
  }
  form.addEventListener("drop", (event) => send(event.dataTransfer.files));
}

function live(region) {
  const address = region.dataset.live;
  const title = document.title;
  let failures = 0;

  function show(view) {
    if (view.state !== region.dataset.state) {
      location.reload();
      return;
    }
    for (const [name, html] of Object.entries(view.parts)) {
      const part = document.getElementById(`live-${name}`);
      if (part.dataset.html !== html) {
        part.dataset.html = html;
        part.innerHTML = html; // the server has escaped every cell in it
        localTimes(part);
      }
    }
    document.title = `${view.title} · ${title}`;
  }

  async function poll() {
    try {
      const answer = await fetch(`${address}/now`, { headers: { Accept: "application/json" } });
      if (answer.redirected) location.reload();
      show(await answer.json());
    } catch {
      // the server does not answer; the next request follows in two seconds
    }
    setTimeout(poll, 2000);
  }

  const events = new EventSource(`${address}/events`);
  let received = false;
  let polling = false;

  function startPolling() {
    if (polling) return;
    polling = true;
    events.close();
    poll();
  }

  events.onmessage = (event) => {
    received = true;
    failures = 0;
    show(JSON.parse(event.data));
  };
  events.onerror = () => {
    failures += 1;
    if (!received || failures > 3 || events.readyState === EventSource.CLOSED) startPolling();
  };
  setTimeout(() => {
    if (!received) startPolling(); // a proxy buffers the events
  }, 5000);
}

function overview(region) {
  const address = region.dataset.overview;
  const shown = new Map(); // the HTML of each part and row as the server sent it
  let etag = null;
  let timer = 0;

  function show(parts) {
    for (const [name, html] of Object.entries(parts)) {
      const part = document.getElementById(`overview-${name}`);
      if (part === null || shown.get(name) === html) continue;
      const template = document.createElement("template");
      template.innerHTML = html; // the server has escaped every name in it
      const fresh = [...template.content.querySelectorAll("[data-key]")];
      const old = [...part.querySelectorAll("[data-key]")];
      const keys = (rows) => rows.map((row) => row.dataset.key).join("\n");
      if (shown.has(name) && fresh.length && keys(fresh) === keys(old)) {
        // Only the rows that differ, so that the focus stays where it is.
        fresh.forEach((row, index) => {
          const key = `${name} ${row.dataset.key}`;
          if (shown.get(key) !== row.outerHTML) {
            shown.set(key, row.outerHTML);
            localTimes(row);
            old[index].replaceWith(row);
          }
        });
        const status = template.content.querySelector("[role=status]");
        if (status) part.querySelector("[role=status]").textContent = status.textContent;
      } else {
        for (const row of fresh) shown.set(`${name} ${row.dataset.key}`, row.outerHTML);
        part.replaceChildren(template.content);
        localTimes(part);
      }
      shown.set(name, html);
    }
  }

  async function poll() {
    try {
      const headers = { Accept: "application/json" };
      if (etag) headers["If-None-Match"] = etag;
      const answer = await fetch(address, { headers });
      if (answer.redirected) location.reload(); // signed out
      if (answer.status === 200) {
        etag = answer.headers.get("ETag");
        show((await answer.json()).parts);
      }
    } catch {
      // the server does not answer; the next request follows
    }
    if (!document.hidden) timer = setTimeout(poll, 5000);
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) poll();
  });
  timer = setTimeout(poll, 5000);
}

localTimes(document);
document.querySelectorAll("[data-overview]").forEach(overview);
document.querySelectorAll("form[data-upload]").forEach(upload);
document.querySelectorAll("[data-live]").forEach(live);
if (document.querySelector("[data-reload]")) setTimeout(() => location.reload(), 1000);
for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    if (!confirm(form.dataset.confirm)) event.preventDefault();
  });
}
for (const choice of document.querySelectorAll("[data-submit]")) {
  choice.addEventListener("change", () => choice.form.requestSubmit());
}
