// The table of backups with script: filters and orders answer at once, and a selection spans pages.
// Without it, the server does the same.
"use strict";
function table() {
  const data = $("data") && JSON.parse($("data").textContent);
  const filters = $("filters"), chosen = new Set();
  const tell = () => { $("chosen").textContent = chosen.size + " selected"; };
  $("list").addEventListener("change", ({ target }) => {
    if (target.name !== "name") return;
    chosen[target.checked ? "add" : "delete"](target.value);
    tell();
  });
  tell();
  if (!data) {
    for (const select of filters.querySelectorAll("select")) select.onchange = () => filters.requestSubmit();
    $("every").onchange = () => { for (const box of document.getElementsByName("name")) if (box.checked !== $("every").checked) box.click(); };
    return;
  }
  const year = new Date().getFullYear();
  const rows = data.rows.map(([name, minutes, kind, branch, commit, label, bytes, added, state, pinned], i) => {
    const at = new Date(minutes * 60000);
    const row = { i: -i, name: data.prefix + name, kind: data.kinds[kind], branch: data.branches[branch] ?? "", commit, label, bytes,
      added: added < 0 ? bytes : added, rank: state, state: data.states[state], pinned };
    row.taken = () => `${at.getUTCDate()} ${"JanFebMarAprMayJunJulAugSepOctNovDec".substr(at.getUTCMonth() * 3, 3)}` +
      `${at.getUTCFullYear() === year ? "" : " " + at.getUTCFullYear()}, ${at.toISOString().slice(11, 16)}`;
    row.text = [row.name, label, row.branch, commit, row.kind, pinned ? "pinned" : ""].join(" ").toLowerCase();
    return row;
  });
  const by = { time: "i", kind: "kind", branch: "branch", label: "label", size: "bytes", new: "added", state: "rank" };
  const largest = ["time", "size", "new", "state"];
  const query = new URLSearchParams(location.search);
  const value = (key) => query.get(key) || "";
  const href = (changes) => {
    const next = new URLSearchParams(query);
    for (const [key, text] of Object.entries(changes)) text ? next.set(key, text) : next.delete(key);
    return "/" + (next.size ? "?" + next : "") + "#backups";
  };
  const order = () => value("order") || (largest.includes(value("sort") || "time") ? "desc" : "asc");
  const node = (tag, cls, ...inside) => { const n = document.createElement(tag); if (cls) n.className = cls; n.append(...inside); return n; };
  const drawing = (cls, name) => {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), use = svg.appendChild(document.createElementNS(svg.namespaceURI, "use"));
    svg.setAttribute("class", cls);
    svg.setAttribute("aria-hidden", "true");
    use.setAttribute("href", "#" + name);
    return svg;
  };
  const icons = { verified: "i-ok", damaged: "i-bad" };
  const line = (row) => {
    const box = node("input", ""), link = node("a", "", row.taken()), th = node("th", "t", link);
    Object.assign(box, { type: "checkbox", name: "name", value: row.name, checked: chosen.has(row.name), ariaLabel: "Select " + row.taken() });
    link.href = "/backups/" + encodeURIComponent(row.name);
    th.scope = "row";
    const mark = document.getElementById("k-" + row.kind) ? row.kind : "other";
    return node("tr", "", node("td", "x", box), th, node("td", "k", drawing("m", "k-" + mark), row.kind), node("td", "b", row.branch),
      node("td", "c", row.commit), node("td", "l", ...(row.pinned ? [drawing("i", "i-pin"), node("span", "vh", "pinned ")] : []), row.label),
      node("td", "n", size(row.bytes)), node("td", "w n", row.added ? size(row.added) : "–"),
      node("td", "s", node("span", "st " + row.state, drawing("i", icons[row.state] || "i-open"), row.state)));
  };
  const matching = () => {
    const words = value("q").toLowerCase().split(/\s+/).filter(Boolean);
    const is = (key, text) => !value(key) || value(key) === text;
    return rows.filter((row) => is("kind", row.kind) && is("branch", row.branch) && is("state", row.state) && words.every((word) => row.text.includes(word)));
  };
  const show = () => {
    const key = by[value("sort")] || "i", sign = order() === "desc" ? -1 : 1;
    const found = matching().sort((a, b) => sign * (a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : sign * (b.i - a.i)));
    const pages = Math.max(1, Math.ceil(found.length / data.page)), page = Math.min(pages, Math.max(1, parseInt(value("page"), 10) || 1));
    $("rows").replaceChildren(...found.slice((page - 1) * data.page, page * data.page).map(line));
    $("count").textContent = (found.length === rows.length ? "" : digits(found.length) + " of ") + of(rows.length, "backup");
    $("no-match").hidden = found.length > 0;
    $("every").checked = found.length > 0 && found.every((row) => chosen.has(row.name));
    for (const link of document.querySelectorAll("[data-sort]")) {
      const sort = link.dataset.sort, current = (by[value("sort")] ? value("sort") : "time") === sort;
      if (current) link.parentNode.ariaSort = order() + "ending";
      else link.parentNode.removeAttribute("aria-sort");
      link.href = href({ sort, order: (current ? order() !== "desc" : largest.includes(sort)) ? "desc" : "asc", page: "" });
    }
    const [before, where, after] = $("pages").children;
    $("pages").hidden = pages < 2;
    before.hidden = page === 1;
    after.hidden = page === pages;
    before.href = href({ page: String(page - 1) });
    after.href = href({ page: String(page + 1) });
    where.textContent = `Page ${page} of ${pages}`;
    filters.querySelector(".clear").hidden = !["q", "kind", "branch", "state"].some(value);
  };
  const go = (address) => {
    history.replaceState(null, "", address);
    const next = new URL(address, location).searchParams;
    for (const key of [...query.keys()]) query.delete(key);
    for (const [key, text] of next) query.set(key, text);
    show();
  };
  const read = () => go(href({ page: "", ...Object.fromEntries(["q", "kind", "branch", "state"].map((key) => [key, filters[key].value])) }));
  filters.addEventListener("input", read);
  filters.addEventListener("submit", (event) => { event.preventDefault(); read(); });
  document.querySelector("#backups").addEventListener("click", (event) => {
    const link = event.target.closest("[data-sort], #pages a, .clear");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (link.className === "clear") for (const key of ["q", "kind", "branch", "state"]) filters[key].value = "";
    go(link.getAttribute("href"));
    if (link.closest("#pages")) $("list").scrollIntoView();
  });
  $("every").addEventListener("change", ({ target }) => {
    for (const row of matching()) chosen[target.checked ? "add" : "delete"](row.name);
    show();
    tell();
  });
  $("list").addEventListener("submit", () => {
    for (const old of $("list").querySelectorAll("[type=hidden]")) old.remove();
    const here = new Set(Array.from($("rows").querySelectorAll("[name=name]"), (box) => box.value));
    for (const name of chosen) if (!here.has(name)) $("list").append(Object.assign(node("input", ""), { type: "hidden", name: "name", value: name }));
  });
}
if ($("list")) table();
