// What makes the pages a little nicer; they work without it.
"use strict";
document.documentElement.classList.add("with-js");

// Times in the employee's time zone, with UTC on hover.
const zone = new Intl.DateTimeFormat(document.documentElement.lang, {
  weekday: "short", year: "numeric", month: "short", day: "numeric",
  hour: "2-digit", minute: "2-digit", second: "2-digit",
});
for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.getTime())) time.textContent = zone.format(at);
}

const copy = async (button, text) => {
  try {
    await navigator.clipboard.writeText(text);
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 1500);
  } catch {
    button.classList.add("failed");
  }
};
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.copy) copy(button, button.dataset.copy);
  const from = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
  if (from) copy(button, from.textContent.replace(/\s+/g, " ").trim());
  if ("print" in button.dataset) window.print();
});

// "/" goes to the search; arrows go through the rows' first links.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea");
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "/" && !typing) {
    const search = document.getElementById("search") || document.getElementById("search-top");
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
    return;
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || (typing && typing.type !== "search")) return;
  const links = [...document.querySelectorAll("tbody tr > td:first-child a")];
  const next = links.indexOf(document.activeElement) + step;
  if (links.length && next >= 0 && next < links.length && (typing || links.includes(document.activeElement))) {
    event.preventDefault();
    links[next].focus();
  }
});
