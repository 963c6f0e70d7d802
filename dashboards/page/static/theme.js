// Before the first paint, or the page would flash in the other colours.
"use strict";
(() => {
  try {
    const chosen = localStorage.getItem("sereno-theme");
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  } catch { /* without storage the system's colours hold */ }
})();
