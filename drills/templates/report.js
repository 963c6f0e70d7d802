// Shows the values at a moment: by pointer, by touch, and by the slider below the charts for the keyboard.
// The page is complete without it.
(() => {
  "use strict";
  const chart = document.getElementById("chart");
  const data = JSON.parse(document.getElementById("readouts").textContent);
  const tooltip = document.getElementById("tooltip");
  const slider = document.getElementById("moment");
  if (!data.t.length) return;
  slider.parentElement.hidden = false;

  const start = Date.parse(data.start);
  const two = (n) => String(n).padStart(2, "0");
  const elapsed = (s) => (s >= 3600 ? `${Math.floor(s / 3600)}:${two(Math.floor((s % 3600) / 60))}` : Math.floor(s / 60)) + `:${two(Math.floor(s % 60))}`;
  const clock = (s) => new Date(start + s * 1000).toISOString().slice(11, 19);
  const shown = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en-US"));
  const used = (value, limit) => shown(value) + (limit === null || limit === undefined ? "" : ` of ${shown(limit)}`);
  const crosshairs = chart.querySelectorAll(".crosshair");

  const cell = (tag, text, scope) => {
    const one = document.createElement(tag);
    one.textContent = text;
    if (scope) one.scope = scope;
    return one;
  };
  const row = (...cells) => {
    const one = document.createElement("tr");
    one.append(...cells);
    return one;
  };
  const filled = (index) => {
    const moment = document.createElement("p");
    const length = data.stretch_s > 60 ? `, worst of ${Math.round(data.stretch_s / 60)} min` : "";
    moment.append(cell("b", elapsed(data.t[index])), ` (${clock(data.t[index])} UTC${length})`);
    const table = document.createElement("table");
    const head = document.createElement("thead");
    head.append(row(cell("td", ""), cell("th", "without", "col"), cell("th", "with", "col")));
    const body = document.createElement("tbody");
    for (const one of data.rows) {
      if (one.with[index] === undefined && one.without[index] === undefined) continue;
      if (one.with[index] === null && one.without[index] === null) continue;
      body.append(row(cell("th", one.label, "row"), cell("td", used(one.without[index], one.limit?.without[index])), cell("td", used(one.with[index], one.limit?.with[index]))));
    }
    table.append(head, body);
    return [moment, table];
  };

  const show = (index, top) => {
    const share = data.t[index] / data.duration;
    for (const line of crosshairs) {
      line.style.left = `${share * 100}%`;
      line.hidden = false;
    }
    tooltip.replaceChildren(...filled(index));
    tooltip.hidden = false;
    const frame = chart.getBoundingClientRect();
    const plot = chart.querySelector(".plot").getBoundingClientRect();
    const at = plot.left - frame.left + share * plot.width;
    const wide = tooltip.offsetWidth;
    const beside = share < 0.5 ? at + 14 : at - wide - 14;
    tooltip.style.left = `${Math.max(0, Math.min(frame.width - wide, beside))}px`;
    tooltip.style.top = `${Math.max(0, top - frame.top)}px`;
    slider.value = index;
    slider.setAttribute("aria-valuetext", `${elapsed(data.t[index])}, ${clock(data.t[index])} UTC`);
  };
  const hide = () => {
    tooltip.hidden = true;
    for (const line of crosshairs) line.hidden = true;
  };
  const nearest = (plot, x) => {
    const box = plot.getBoundingClientRect();
    const second = Math.max(0, Math.min(1, (x - box.left) / box.width)) * data.duration;
    const step = data.t.length > 1 ? data.t[1] - data.t[0] : 1;
    return Math.max(0, Math.min(data.t.length - 1, Math.round((second - data.t[0]) / step)));
  };

  for (const plot of chart.querySelectorAll(".plot")) {
    const follow = (event) => show(nearest(plot, event.clientX), plot.getBoundingClientRect().top + 8);
    plot.addEventListener("pointermove", follow);
    plot.addEventListener("pointerdown", follow);
    plot.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") hide(); });
  }
  const slid = () => show(Number(slider.value), slider.getBoundingClientRect().top - tooltip.offsetHeight - 12);
  slider.addEventListener("input", () => { slid(); slid(); });
  slider.addEventListener("focus", () => { slid(); slid(); });
  slider.addEventListener("blur", hide);
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  document.addEventListener("pointerdown", (event) => { if (!event.target.closest(".plot, .scrubber")) hide(); });
})();
