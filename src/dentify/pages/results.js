"use strict";
// Filters, sorts and shows what the page holds; without it the page is a list of all photos with their reports.
document.documentElement.classList.add("js");
const filters = document.getElementById("filters");
const list = document.getElementById("cards");
const dialog = document.getElementById("look");
const stage = dialog.querySelector(".stage");
const fields = filters.elements;
const cards = [...list.children];
let shown = cards;
let open = null;

const numbers = (card, key) => card.dataset[key].split(" ");
const name = (card) => card.querySelector("h2").textContent;
const number = (card) => Number(card.id.slice(1));
const orders = {
  rank: (a, b) => number(a) - number(b),
  name: (a, b) => name(a).localeCompare(name(b), undefined, { numeric: true }),
  severity: (a, b) => b.dataset.severity - a.dataset.severity || number(a) - number(b),
  findings: (a, b) => b.dataset.findings - a.dataset.findings || number(a) - number(b),
};

function filter() {
  const wanted = (key) => (fields[key] ? fields[key].value : "");
  const text = wanted("search").toLowerCase();
  const fits = (card) =>
    (!wanted("group") || card.dataset.group.split(" ").includes(wanted("group"))) &&
    (!wanted("type") || numbers(card, "types").includes(wanted("type"))) &&
    (!wanted("part") || numbers(card, "parts").includes(wanted("part"))) &&
    (!wanted("severity") || card.dataset.severity === wanted("severity")) &&
    (!text || name(card).toLowerCase().includes(text));
  shown = cards.filter(fits);
  for (const card of cards) card.hidden = true;
  for (const card of shown) card.hidden = false;
  const output = filters.querySelector("output");
  output.textContent = output.dataset.text.replace("{shown}", shown.length).replace("{total}", cards.length);
  document.getElementById("none").hidden = shown.length > 0 || cards.length === 0;
}

function sort() {
  cards.sort(orders[fields.sort.value]);
  list.append(...cards);
  filter();
}

// A finding's outline, its chip and its line of the report have its number; lines may have several.
const findings = (element) => element.dataset.finding.split(" ");

function light(card, ids) {
  for (const one of card.querySelectorAll("[data-finding]")) {
    one.classList.toggle("lit", findings(one).some((id) => ids.includes(id)));
  }
  const marks = card.querySelector(".marks");
  if (marks) marks.classList.toggle("some", ids.length > 0);
}

const pinned = (card) => [...card.querySelectorAll("[aria-pressed=true]")].flatMap(findings);

function pin(card, button) {
  const was = button.getAttribute("aria-pressed") === "true";
  for (const one of card.querySelectorAll("[aria-pressed]")) one.setAttribute("aria-pressed", "false");
  button.setAttribute("aria-pressed", String(!was));
  light(card, pinned(card));
}

for (const place of [list, stage]) {
  const at = (event) => [event.target.closest(".card"), event.target.closest("[data-finding]")];
  const point = (event) => {
    const [card, one] = at(event);
    if (card) light(card, one ? findings(one) : pinned(card));
  };
  place.addEventListener("pointerover", point);
  place.addEventListener("focusin", point);
  place.addEventListener("pointerout", (event) => {
    const [card] = at(event);
    if (card && !card.contains(event.relatedTarget)) light(card, pinned(card));
  });
}

list.addEventListener("click", (event) => {
  const card = event.target.closest(".card");
  if (!card || !event.target.closest(".picture, h2 a, .chips")) return;
  event.preventDefault();
  const one = event.target.closest("[data-finding]");
  look(card, one && one.dataset.finding);
});

stage.addEventListener("click", (event) => {
  const one = event.target.closest("[data-finding]");
  if (!one) return;
  const card = one.closest(".card");
  const line = [...card.querySelectorAll(".report button")].find((each) => findings(each).includes(findings(one)[0]));
  const button = one.matches("button") ? one : line;
  if (!button) return;
  pin(card, button);
  button.scrollIntoView({ block: "nearest" });
});

function look(card, finding) {
  open = card;
  const copy = card.cloneNode(true);
  copy.removeAttribute("id");
  copy.hidden = false;
  const picture = copy.querySelector("img");
  if (picture) {
    picture.alt = name(card);
    const large = new Image();
    large.onload = () => { picture.src = large.src; };  // where it is missing, the small one stays
    large.src = picture.dataset.large;
  }
  stage.replaceChildren(copy);
  light(copy, []);
  document.getElementById("looked").textContent = name(card);
  dialog.querySelector(".place").textContent = `${shown.indexOf(card) + 1} / ${shown.length}`;
  for (const button of dialog.querySelectorAll("[data-step]")) {
    const step = Number(button.dataset.step);
    button.disabled = step !== 0 && !shown[shown.indexOf(card) + step];
  }
  if (!dialog.open) dialog.showModal();
  history.replaceState(null, "", `#${card.id}`);
  if (finding) stage.querySelector(`g[data-finding="${finding}"]`)?.dispatchEvent(new MouseEvent("click", { bubbles: true }));
}

function step(by) {
  const next = shown[shown.indexOf(open) + by];
  if (by === 0) dialog.close();
  else if (next) look(next);
}

dialog.addEventListener("click", (event) => {
  const button = event.target.closest("[data-step]");
  if (button) step(Number(button.dataset.step));
});
dialog.addEventListener("close", () => {
  history.replaceState(null, "", location.pathname + location.search);
  stage.replaceChildren();
  if (open && !open.hidden) {
    open.scrollIntoView({ block: "nearest" });
    open.querySelector("h2 a").focus({ preventScroll: true });
  }
});
dialog.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "ArrowLeft") step(-1);
  else if (event.key === "ArrowRight") step(1);
  else if (event.key.toLowerCase() === "m") mark(document.documentElement.classList.contains("unmarked"));
});

function mark(on) {
  document.documentElement.classList.toggle("unmarked", !on);
  for (const box of [fields.markings, dialog.querySelector(".bar input")]) box.checked = on;
}
fields.markings.addEventListener("change", (event) => mark(event.target.checked));
dialog.querySelector(".bar input").addEventListener("change", (event) => mark(event.target.checked));

filters.addEventListener("input", (event) => {
  if (event.target.name === "sort") sort();
  else if (event.target.name !== "markings") filter();
});
filters.addEventListener("submit", (event) => event.preventDefault());
document.querySelector("#none button").addEventListener("click", () => {
  filters.reset();
  mark(true);
  sort();
});

const wide = matchMedia("(min-width: 50rem)");
const unfold = () => { filters.querySelector("details").open = wide.matches; };
wide.addEventListener("change", unfold);
unfold();
filters.hidden = false;
filters.reset();
filter();
const linked = /^#p\d+$/.test(location.hash) && document.getElementById(location.hash.slice(1));
if (linked) look(linked);
