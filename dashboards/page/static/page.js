// Everything works without this: it brings the news by itself, counts down, shows local time, and knows keys.
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  let ahead = Date.parse(document.body.dataset.now) - Date.now();

  const spoken = (ms) => {
    const s = Math.max(0, Math.round(ms / 1000));
    const parts = [[Math.floor(s / 86400), "d"], [Math.floor(s / 3600) % 24, "h"], [Math.floor(s / 60) % 60, "min"], [s % 60, "s"]];
    return parts.filter(([n]) => n).slice(0, 2).map(([n, unit]) => `${n} ${unit}`).join(" ") || "0 s";
  };
  const count = () => {
    for (const one of document.querySelectorAll("time[data-until]")) {
      const left = Date.parse(one.dataset.until) - Date.now() - ahead;
      one.textContent = left <= 0 ? "now due" : `in ${spoken(left)}`;
    }
  };
  const local = () => {
    const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" });
    for (const one of document.querySelectorAll("#live time:not([data-until]):not([data-local])")) {
      const at = new Date(one.dateTime);
      one.dataset.local = "";
      if (at.getTimezoneOffset() === 0) continue;
      const said = document.createElement("small");
      said.textContent = ` (${clock.format(at)})`;
      one.append(said);
    }
  };

  // One look at a time; one more if something changed meanwhile.
  let looking = false, again = false, known = "";
  const look = async () => {
    if (looking) { again = true; return; }
    looking = true;
    try {
      const answer = await fetch(location.href, { headers: { "x-live": "1" }, credentials: "same-origin" });
      if (answer.redirected) { location.reload(); return; }
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const part = fresh.getElementById("live");
      if (!answer.ok || !part) throw new Error("unreadable");
      ahead = Date.parse(fresh.body.dataset.now) - Date.now();
      place(part);
      say("Live.");
    } catch {
      say("What is shown may be old: the page cannot be reached. It tries again by itself.");
      setTimeout(look, 5000);
    } finally {
      looking = false;
      if (again) { again = false; look(); }
    }
  };
  const mark = (one) => one && one.matches ? [one.tagName, one.getAttribute("href"), one.textContent, one.form && one.form.elements.id ? one.form.elements.id.value : ""].join("|") : "";
  const place = (part) => {
    const held = byId("live").contains(document.activeElement) ? mark(document.activeElement) : "";
    const open = [...document.querySelectorAll("#live details")].map((one) => one.open);
    byId("live").replaceChildren(...part.childNodes);
    [...document.querySelectorAll("#live details")].forEach((one, n) => { one.open = Boolean(open[n]); });
    local(); count();
    if (held) [...document.querySelectorAll("#live a, #live button, #live summary")].find((one) => mark(one) === held)?.focus({ preventScroll: true });
  };
  const say = (text) => { if (byId("connection").textContent !== text) byId("connection").textContent = text; };

  const news = new EventSource("/live");
  news.addEventListener("version", (event) => {
    if (known && event.data !== known) look();
    if (!known) say("Live.");
    known = event.data;
  });
  news.addEventListener("open", () => { if (known) look(); });
  news.addEventListener("error", () => say("Connection lost. It is taken up again by itself."));

  const theme = () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("sereno-theme", root.dataset.theme); } catch { /* for this page only */ }
  };
  const help = () => { if (!byId("keys").open) byId("keys").showModal(); };
  const step = (by) => {
    const all = [...document.querySelectorAll("#live .card h3 a, #live tbody a")];
    if (!all.length) return;
    const at = all.indexOf(document.activeElement);
    all[at < 0 ? (by > 0 ? 0 : all.length - 1) : (at + by + all.length) % all.length].focus();
  };
  byId("theme").hidden = byId("help").hidden = false;
  byId("theme").addEventListener("click", theme);
  byId("help").addEventListener("click", help);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select") || byId("keys").open) return;
    const go = document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`);
    if (go) go.click();
    else if (event.key === "?") help();
    else if (event.key === "m") theme();
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else return;
    event.preventDefault();
  });
  // A press is sent once, however often it is pressed.
  document.addEventListener("submit", (event) => { for (const one of event.target.querySelectorAll("button")) setTimeout(() => { one.disabled = true; }); });
  local(); count(); setInterval(count, 1000);
})();
