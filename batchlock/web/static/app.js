// Times in the reader's zone, uploads with progress, live runs. Every form works without this script.
// Its texts are in data- attributes of the page, in the language of the page.
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

// Says that the session is over, and leads back here after the sign-in. What stands on the page stays.
function showSignedOut() {
  const notice = document.getElementById("signed-out");
  if (notice === null || !notice.hidden) return;
  const here = location.pathname + location.search;
  notice.querySelector("a").href = `/login?next=${encodeURIComponent(here)}`;
  notice.setAttribute("role", "alert"); // not before: a refused upload shows the alert of its answer
  notice.hidden = false;
}

function isSignedOut(answer) {
  return answer.redirected && new URL(answer.url).pathname === "/login";
}

const ACTIVITY_MILLISECONDS = 60000;

// A person who types or clicks is active, also on a page that sends nothing for a long time.
function reportActivity() {
  let reportedAt = Date.now();

  async function report() {
    if (Date.now() - reportedAt < ACTIVITY_MILLISECONDS) return;
    reportedAt = Date.now();
    try {
      if (isSignedOut(await fetch("/account/active"))) showSignedOut();
    } catch {
      // the server does not answer; the next key says it again
    }
  }

  for (const name of ["keydown", "pointerdown"]) document.addEventListener(name, report);
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
      if (request.status === 401) showSignedOut();
      const refused = message.dataset.refused.replace("{status}", request.status);
      fail(sentence ? sentence.textContent.trim() : refused);
    };
    request.onerror = () => fail(message.dataset.lost);
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

const HIDDEN_PERIOD = 10000;

// Asks again and again while the page is visible, and more seldom while it is hidden if
// `isAwaited` says so. `show` gets the content of each new answer, and `onNews` the time of the
// view in it, in milliseconds.
function poll(address, period, show, onNews = () => {}, isAwaited = () => false) {
  let etag = null;
  let timer = 0;

  async function ask() {
    clearTimeout(timer);
    try {
      const headers = etag ? { "If-None-Match": etag } : {};
      const answer = await fetch(address, { headers, signal: AbortSignal.timeout(35000) });
      const wasSignedOut = !document.getElementById("signed-out").hidden;
      if (isSignedOut(answer)) {
        showSignedOut();
      } else if (answer.redirected || wasSignedOut) {
        location.reload(); // after a sign-in in another tab the forms need another token
      } else if (answer.status === 200 || answer.status === 304) {
        onNews(Date.now() - 1000 * Number(answer.headers.get("Age")));
      }
      if (answer.status === 200 && !isSignedOut(answer)) {
        etag = answer.headers.get("ETag");
        show(await answer.text());
      }
    } catch {
      // the server does not answer; the next request follows
    }
    if (!document.hidden) timer = setTimeout(ask, period);
    else if (isAwaited()) timer = setTimeout(ask, HIDDEN_PERIOD);
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (!document.hidden) ask();
  });
  timer = setTimeout(ask, period);
}

// The button that requests a notification of the browser when the run ends or is paused.
function endNotification(button) {
  const key = `tell ${location.pathname}`;
  const canNotify = "Notification" in window && isSecureContext;

  function isAwaited() {
    return canNotify && Notification.permission === "granted" && sessionStorage.getItem(key) !== null;
  }
  function showState() {
    button.hidden = !canNotify;
    button.disabled = canNotify && Notification.permission === "denied";
    button.setAttribute("aria-pressed", String(isAwaited()));
  }
  button.addEventListener("click", async () => {
    if (isAwaited()) sessionStorage.removeItem(key);
    else if ((await Notification.requestPermission()) === "granted") sessionStorage.setItem(key, "");
    showState();
  });
  showState();
  return {
    isAwaited,
    send(state) {
      if (state === "queued" || state === "running" || !isAwaited()) return;
      if (state !== "paused") sessionStorage.removeItem(key);
      const words = state === "paused" ? document.body.dataset.paused : document.body.dataset.ended;
      new Notification(document.querySelector("h1").textContent, { body: words });
    },
  };
}

const SILENT_SECONDS = 12;

function live(region) {
  const title = document.title;
  const silence = document.getElementById("live-silence");
  const notification = endNotification(document.querySelector("[data-notify]"));
  let newsAt = Date.now();

  function show(text) {
    const view = JSON.parse(text);
    if (view.state !== region.dataset.state) {
      notification.send(view.state);
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

  function showSilence() {
    const seconds = Math.round((Date.now() - newsAt) / 1000);
    const isSilent = seconds >= SILENT_SECONDS && !document.hidden;
    region.classList.toggle("silent", isSilent); // hides rate and time left
    silence.hidden = !isSilent;
    silence.querySelector("[data-seconds]").textContent = seconds;
  }

  poll(`${region.dataset.live}/now`, 1000, show, (time) => {
    newsAt = time;
    showSilence();
  }, notification.isAwaited);
  setInterval(showSilence, 1000);
}

function overview(region) {
  const address = region.dataset.overview;
  const shown = new Map(); // the HTML of each part and row as the server sent it

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

  poll(address, 5000, (text) => show(JSON.parse(text).parts));
}

// While the answer to a form is awaited, loading the page again would drop that answer.
let isSubmitted = false;
document.addEventListener("submit", (event) => {
  isSubmitted = !event.defaultPrevented;
});
// The browser may show the page again as it was left, after "back".
window.addEventListener("pageshow", () => {
  isSubmitted = false;
});

// A part of a page that the server renders anew. When the new page has no such part, the page has
// become another one.
function refresh(region) {
  let html = region.innerHTML; // as the server sent it, before its times become local ones

  poll(region.dataset.refresh || location.href, 2000, (text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html").getElementById(region.id);
    if (isSubmitted) return;
    if (fresh === null) {
      location.reload();
    } else if (fresh.innerHTML !== html && !region.contains(document.activeElement)) {
      html = fresh.innerHTML;
      region.innerHTML = html; // the server has escaped every name in it
      localTimes(region);
    }
  });
}

// The box that shows what is typed into the fields for passwords of its form.
function showPasswords(line) {
  const box = line.querySelector("input");
  const form = line.closest("form");
  const fields = form.querySelectorAll("input[type=password]");

  function apply() {
    for (const field of fields) field.type = box.checked ? "text" : "password";
  }
  box.addEventListener("change", apply);
  // Else the browser may keep the password among the texts that it proposes.
  form.addEventListener("submit", () => {
    box.checked = false;
    apply();
  });
  line.hidden = false;
}

// How strong the new password is, by the rules by which it is taken or refused.
function showStrength(line) {
  const field = line.closest("form").querySelector("[name=new]");
  let timer = 0;

  async function ask() {
    const typed = field.value;
    try {
      const body = new URLSearchParams({ csrf, new: typed });
      const answer = await fetch("/account/strength", { method: "POST", body });
      if (answer.status === 401) showSignedOut();
      if (!answer.ok || typed !== field.value) return;
      const { score, reason } = await answer.json();
      line.querySelector("meter").value = score;
      line.querySelector("[role=status]").textContent = reason || document.body.dataset.strong;
      line.hidden = false;
    } catch {
      // the server does not answer; the form says so
    }
  }

  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 400);
  });
}

document.querySelectorAll("[data-strength]").forEach(showStrength);
document.querySelectorAll("[data-show-password]").forEach(showPasswords);
document.querySelectorAll("[data-refresh]").forEach(refresh);
localTimes(document);
if (document.getElementById("signed-out") !== null) reportActivity();
document.querySelectorAll("[data-overview]").forEach(overview);
document.querySelectorAll("form[data-upload]").forEach(upload);
document.querySelectorAll("[data-live]").forEach(live);
for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    if (!confirm(form.dataset.confirm)) event.preventDefault();
  });
}
