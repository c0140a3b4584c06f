"use strict";
// Draws the timeline from the page's data, and lets a reader move about in it. All text goes through
// textContent: payloads and panics are never taken for markup.
(() => {
  const root = document.documentElement;
  const errors = [];
  addEventListener("error", (event) => { errors.push(event.message); root.dataset.errors = errors.join("; "); });

  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const lanes = data.lanes.map(([name, kind]) => ({ name, kind, spans: [], marks: [] }));
  const marks = data.happenings.map(([at, lane, kind, minor, text, causes], id) =>
    ({ id, at, lane, kind: data.kinds[kind], minor: minor === 1, text, causes, effects: [] }));
  const spans = data.spans.map(([lane, kind, from, to, track, label, text, begunBy], id) =>
    ({ id, lane, kind, from, to: to === null ? data.ended : to, track, label, text, begunBy }));
  const story = data.story.map(([text, mark]) => ({ text, mark }));
  for (const mark of marks) {
    lanes[mark.lane].marks.push(mark);
    for (const cause of mark.causes) marks[cause].effects.push(mark.id);
  }
  for (const span of spans) lanes[span.lane].spans.push(span);
  const storyOf = new Map();
  story.forEach((sentence, place) => { if (sentence.mark !== null && !storyOf.has(sentence.mark)) storyOf.set(sentence.mark, place + 1); });

  // Few lanes may be tall.
  const roomy = lanes.length <= 5;
  const GUTTER = 136, RIGHT = 14, AXIS = 26, LIFE = roomy ? 26 : 18, TRACK = roomy ? 12 : 9, DISK = roomy ? 26 : 20, GAP = roomy ? 8 : 5;
  const CHAIN_MAX = 15;
  const end = Math.max(data.ended, 1);
  const view = { from: 0, to: end, width: 900, minor: true, selected: null, hovered: null, chosenSpan: null, moment: end };

  // Where lanes are: marks on top of a machine's lives, its lasting faults below.
  let bottom = 2;
  for (const lane of lanes) {
    const tracks = (kind) => lane.spans.filter((it) => it.kind === kind).reduce((most, it) => Math.max(most, it.track + 1), 0);
    lane.top = bottom + (lane.kind === "machine" ? GAP + 3 : 0);
    lane.lives = Math.max(tracks("life"), 1);
    lane.height = lane.kind === "machine" ? LIFE * lane.lives + TRACK * tracks("fault") + 2
      : lane.kind === "held" ? TRACK * Math.max(tracks("lease"), 1) + 2 : DISK;
    bottom = lane.top + lane.height + 2;
  }
  bottom += GAP;

  const SVG = "http://www.w3.org/2000/svg";
  const make = (name, attributes, text) => {
    const node = document.createElementNS(SVG, name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const element = (name, attributes, text) => {
    const node = document.createElement(name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const seconds = (at, digits = 3) => (at / 1e6).toFixed(digits) + " s";
  const x = (at) => GUTTER + (at - view.from) / (view.to - view.from) * (view.width - GUTTER - RIGHT);
  const timeAt = (left) => view.from + (left - GUTTER) / (view.width - GUTTER - RIGHT) * (view.to - view.from);
  const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
  const markY = (mark) => { const lane = lanes[mark.lane]; return lane.top + (lane.kind === "machine" ? LIFE : lane.height) / 2; };

  // A shape for each kind, around the origin.
  const SHAPES = {
    boot: "M-4-5L5 0L-4 5z", resume: "M-4-5L5 0L-4 5z", pause: "M-4-5h3v10h-3zM1-5h3v10h-3z", end: "M-3-3h6v6h-6z",
    crash: "M-4-4L4 4M4-4L-4 4", lost: "M-4-4L4 4M4-4L-4 4", fault: "M0-7L6 0L0 7L-6 0z",
    violation: "M0-8L2.2-2.6L8-2.6L3.4 1L5.2 7L0 3.4L-5.2 7L-3.4 1L-8-2.6L-2.2-2.6z",
    asked: "M0-5v10", began: "M-2.5-4L2-0L-2.5 4", answered: "M-2.6 0a2.6 2.6 0 1 0 5.2 0a2.6 2.6 0 1 0-5.2 0z",
    finished: "M-2-2h4v4h-4z", refused: "M-3.5-3.5h7v7h-7z", unknown: "M-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0-7.2 0z",
    expired: "M-4-5h8L-4 5h8z", write: "M0-3v6", sync: "M0-8v16", note: "M-1.5-1.5h3v3h-3z",
  };
  const WORDS = {
    boot: "a process boots", resume: "goes on", pause: "is paused", end: "ends by itself", crash: "is dead", lost: "written and lost",
    fault: "fault (hollow: changed nothing)", violation: "violation", asked: "asked", began: "work began", answered: "answered",
    finished: "work ended", refused: "refused", unknown: "outcome unknown", expired: "lease expired", write: "write", sync: "sync", note: "note",
  };
  const RANK = { violation: 9, fault: 8, lost: 8, crash: 7, expired: 6, unknown: 6, refused: 5, pause: 5, boot: 4, resume: 4 };

  const chart = byId("chart");
  const axis = make("svg", { class: "axis", height: AXIS });
  const body = make("svg", { height: bottom });
  chart.append(axis, body);
  const tip = element("div", { id: "tip", hidden: "" });
  document.body.append(tip);

  // What led to it, nearest first, as the story's chain is made: a step by the way counts double.
  const STEPS = new Set(["asked", "write", "sync"]);
  const chain = (id) => {
    const near = new Map([[id, 0]]), order = [];
    while (near.size > 0 && order.length < CHAIN_MAX) {
      const [next, far] = [...near].reduce((a, b) => b[1] < a[1] || (b[1] === a[1] && (marks[b[0]].at - marks[a[0]].at || b[0] - a[0]) > 0) ? b : a);
      near.delete(next);
      order.push(next);
      for (const cause of marks[next].causes) {
        if (order.includes(cause)) continue;
        const farther = far + (STEPS.has(marks[cause].kind) ? 2 : 1);
        near.set(cause, Math.min(farther, near.get(cause) ?? farther));
      }
    }
    return order;
  };

  const arrow = (from, to, chosen) => {
    const [cause, effect] = [marks[from], marks[to]];
    if (effect.at < view.from || cause.at > view.to) return null;
    const [x1, y1] = [clamp(x(cause.at), GUTTER, view.width), markY(cause)];
    const [x2, y2] = [clamp(x(effect.at), GUTTER, view.width), markY(effect)];
    const bend = Math.abs(y2 - y1) < 2 ? -16 : 0;
    const half = Math.max((x2 - x1) / 2, 12);
    const path = `M${x1} ${y1}C${x1 + half} ${y1 + bend} ${x2 - half} ${y2 + bend} ${x2} ${y2}`;
    return make("path", { class: chosen ? "arrow chosen" : "arrow", d: path, "marker-end": chosen ? "url(#head-chosen)" : "url(#head)" });
  };

  const drawAxis = () => {
    axis.replaceChildren();
    axis.setAttribute("width", view.width);
    const wanted = (view.to - view.from) / Math.max((view.width - GUTTER) / 90, 1);
    const power = 10 ** Math.floor(Math.log10(wanted));
    const step = [1, 2, 5, 10].map((it) => it * power).find((it) => it >= wanted);
    const digits = clamp(Math.ceil(6 - Math.log10(step)), 0, 6);
    const ticks = [];
    for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
      ticks.push(x(at));
      const anchor = x(at) > view.width - RIGHT - 24 ? "end" : "middle";
      axis.append(make("text", { class: "tick", x: x(at), y: 16, "text-anchor": anchor }, seconds(at, digits)));
    }
    const cursor = x(view.moment);
    if (cursor >= GUTTER - 1 && cursor <= view.width) {
      axis.append(make("path", { d: `M${cursor - 5} ${AXIS - 6}h10l-5 6z`, fill: "var(--focus)" }));
    }
    return ticks;
  };

  const draw = () => {
    view.width = Math.max(chart.clientWidth, 320);
    const ticks = drawAxis();
    body.replaceChildren();
    body.setAttribute("width", view.width);
    const defs = make("defs", {});
    const hatch = make("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
    hatch.append(make("rect", { width: 6, height: 6, fill: "var(--back)" }), make("rect", { width: 2.5, height: 6, fill: "var(--purple)" }));
    defs.append(hatch);
    for (const [id, colour] of [["head", "var(--faint)"], ["head-chosen", "var(--focus)"]]) {
      const head = make("marker", { id, viewBox: "0 0 8 8", refX: 9, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto", markerUnits: "userSpaceOnUse" });
      head.append(make("path", { d: "M0 0L8 4L0 8z", fill: colour }));
      defs.append(head);
    }
    const clip = make("clipPath", { id: "inside" });
    clip.append(make("rect", { x: GUTTER, y: 0, width: view.width - GUTTER, height: bottom }));
    defs.append(clip);
    body.append(defs);
    const inside = make("g", { "clip-path": "url(#inside)" });
    lanes.forEach((lane, place) => {
      if (lane.kind === "machine") body.append(make("rect", { class: "stripe", x: 0, y: lane.top - 2, width: view.width, height: lane.height + 2 }));
      const text = make("text", { class: "lane " + lane.kind, x: lane.kind === "machine" ? 8 : 18, y: lane.top + Math.min(lane.height, LIFE) / 2 + 4 });
      text.textContent = lane.kind === "machine" ? lane.name : lane.kind === "held" ? "leases" : "disk";
      text.dataset.lane = place;
      body.append(text);
    });
    for (const left of ticks) inside.append(make("line", { class: "grid", x1: left, x2: left, y1: 0, y2: bottom }));
    body.append(inside);
    spans.forEach((span) => drawSpan(inside, span));
    const chosen = view.hovered ?? view.selected;
    const arrows = make("g", {});
    const told = story.map((it) => it.mark).filter((it) => it !== null);
    const inStory = new Set(told);
    for (const id of inStory) {
      for (const cause of marks[id].causes) if (inStory.has(cause)) arrows.append(arrow(cause, id, false) ?? "");
    }
    if (chosen !== null) {
      const links = new Set(chain(chosen));
      for (const id of links) for (const cause of marks[id].causes) if (links.has(cause)) arrows.append(arrow(cause, id, true) ?? "");
      for (const effect of marks[chosen].effects.slice(0, CHAIN_MAX)) arrows.append(arrow(chosen, effect, true) ?? "");
    }
    inside.append(arrows);
    lanes.forEach((lane) => drawMarks(inside, lane));
    drawBadges(inside);
    if (view.selected !== null) {
      const mark = marks[view.selected];
      inside.append(make("circle", { class: "halo", cx: x(mark.at), cy: markY(mark), r: 10 }));
    }
    inside.append(make("line", { class: "moment", x1: x(view.moment), x2: x(view.moment), y1: 0, y2: bottom }));
  };

  const drawSpan = (into, span) => {
    if (span.to < view.from || span.from > view.to) return;
    const lane = lanes[span.lane];
    const [left, right] = [Math.max(x(span.from), GUTTER - 2), Math.min(x(span.to), view.width + 2)];
    const width = Math.max(right - left, 1);
    let [top, height] = [lane.top, LIFE];
    if (span.kind === "life") [top, height] = [lane.top + LIFE * span.track + 1, LIFE - 2];
    else if (span.kind === "pause") [top, height] = [lane.top + 3, LIFE - 6];
    else if (span.kind === "fault") [top, height] = [lane.top + LIFE * lane.lives + TRACK * span.track, TRACK - 2];
    else if (span.kind === "lease") [top, height] = [lane.top + TRACK * span.track, TRACK - 1];
    else [top, height] = [lane.top + TRACK * span.track + 1.5, TRACK - 4];
    const bar = make("rect", { class: "span " + span.kind + (view.chosenSpan === span.id ? " selected" : ""), x: left, y: top, width, height, rx: 1.5 });
    bar.dataset.span = span.id;
    into.append(bar);
    if (span.kind === "fault" && width > span.label.length * 5.4 + 6) {
      into.append(make("text", { class: "in-bar", x: left + 4, y: top + TRACK - 2 }, span.label));
    }
  };

  const visible = (mark) => view.minor || !mark.minor || mark.id === view.selected || storyOf.has(mark.id);

  const drawMarks = (into, lane) => {
    // What lies on the same spot is drawn once, the weightiest last.
    const shown = lane.marks.filter((it) => it.at >= view.from && it.at <= view.to && visible(it));
    const spots = new Map();
    for (const mark of shown) {
      const spot = mark.kind + Math.round(x(mark.at) / 1.5);
      const known = spots.get(spot);
      if (known === undefined || mark.id === view.selected || (known.minor && !mark.minor)) spots.set(spot, mark);
    }
    const weight = (it) => (RANK[it.kind] ?? 0) + (storyOf.has(it.id) ? 10 : 0);
    for (const mark of [...spots.values()].sort((a, b) => weight(a) - weight(b) || a.id - b.id)) {
      const small = mark.minor && mark.kind !== "sync" ? " scale(.75)" : "";
      const shape = make("path", { class: "mark " + mark.kind + (mark.minor ? " minor" : ""), d: SHAPES[mark.kind], transform: `translate(${x(mark.at)} ${markY(mark)})${small}` });
      shape.dataset.mark = mark.id;
      into.append(shape);
    }
  };

  const drawBadges = (into) => {
    const taken = [];
    for (const [id, number] of storyOf) {
      const mark = marks[id];
      if (mark.at < view.from || mark.at > view.to) continue;
      // Beside each other where they would lie on top of each other.
      let [left, top] = [x(mark.at), markY(mark) - 12];
      const hidden = ([l, t]) => Math.abs(l - left) < 16 && Math.abs(t - top) < 13;
      while (taken.some(hidden)) left += 16;
      // A number too far from its mark says nothing: it shows when there is room.
      if (left - x(mark.at) > 34 && id !== view.selected) continue;
      left = clamp(left, GUTTER + 8, view.width - 9);
      taken.push([left, top]);
      const badge = make("rect", { class: "badge", x: left - 7.5, y: top - 7, width: 15, height: 13, rx: 6.5 });
      badge.dataset.mark = id;
      into.append(badge, make("text", { class: "badge-text", x: left, y: top + 3, "text-anchor": "middle" }, String(number)));
    }
  };

  // The table of the moment.
  const tableAt = (moment) => { let found = -1; data.tables.forEach(([at], place) => { if (at <= moment) found = place; }); return found; };
  let shownTable = null;
  const drawTable = () => {
    const side = byId("table-side"), place = tableAt(view.moment);
    byId("moment").value = view.moment;
    byId("moment-time").textContent = seconds(view.moment);
    byId("table-before").disabled = place <= 0;
    byId("table-after").disabled = place >= data.tables.length - 1;
    if (place === shownTable) return;
    shownTable = place;
    side.replaceChildren();
    if (place < 0) { side.append(element("p", { class: "empty" }, data.tables.length === 0 ? "This run has no tables." : "Nothing is in the table yet at this moment.")); return; }
    const [at, title, rows] = data.tables[place];
    const before = new Set(place > 0 ? data.tables[place - 1][2] : []);
    side.append(element("h3", {}, `${title}, at ${seconds(at)} (${rows.length} ${rows.length === 1 ? "row" : "rows"}; ${place + 1} of ${data.tables.length}${place > 0 ? "; what changed since the one before is marked" : ""})`));
    const table = element("table", {}), head = element("tr", {});
    for (const column of data.columns) head.append(element("th", { scope: "col" }, column));
    table.append(element("thead", {}), element("tbody", {}));
    table.tHead.append(head);
    for (const row of rows) {
      const line = element("tr", place > 0 && !before.has(row) ? { class: "changed" } : {});
      for (const cell of data.rows[row]) line.append(element("td", {}, cell));
      table.tBodies[0].append(line);
    }
    if (rows.length === 0) side.append(element("p", { class: "empty" }, "No rows."));
    else side.append(table);
  };

  const link = (id) => {
    const item = element("li", {}), button = element("button", { type: "button" });
    button.append(element("span", { class: "when" }, `${seconds(marks[id].at)} · ${lanes[marks[id].lane].name} `), marks[id].text);
    button.addEventListener("click", () => choose(id, true));
    item.append(button);
    return item;
  };
  const drawDetails = () => {
    const side = byId("details");
    side.replaceChildren();
    if (view.chosenSpan !== null) {
      const span = spans[view.chosenSpan];
      side.append(element("h3", {}, `${span.kind}, on ${lanes[span.lane].name}`), element("span", { class: "when" }, `${seconds(span.from)} to ${seconds(span.to)}`), element("p", {}, span.text));
      if (span.begunBy !== null) { const list = element("ul", {}); list.append(link(span.begunBy)); side.append(element("h3", {}, "Begun by"), list); }
      return;
    }
    if (view.selected === null) { side.append(element("p", { class: "empty" }, "Select a sentence, a mark or a bar to see what led to it, and what came of it.")); return; }
    const mark = marks[view.selected];
    side.append(element("h3", {}, WORDS[mark.kind].split(" (")[0]), element("span", { class: "when" }, `${seconds(mark.at, 6)} · ${lanes[mark.lane].name}`), element("p", {}, mark.text));
    for (const [title, ids] of [["Because", mark.causes], ["Then", mark.effects]]) {
      if (ids.length === 0) continue;
      const list = element("ul", {});
      ids.slice(0, 12).forEach((id) => list.append(link(id)));
      if (ids.length > 12) list.append(element("li", { class: "empty" }, `and ${ids.length - 12} more`));
      side.append(element("h3", {}, title), list);
    }
  };

  // What is selected, everywhere on the page.
  const choose = (id, show) => {
    [view.selected, view.chosenSpan, view.hovered] = [id, null, null];
    root.dataset.selected = id ?? "";
    document.querySelectorAll("#story a[aria-current]").forEach((it) => it.removeAttribute("aria-current"));
    if (id !== null) {
      const number = storyOf.get(id);
      const sentence = number === undefined ? null : byId("s" + number);
      if (sentence !== null) { sentence.setAttribute("aria-current", "true"); sentence.scrollIntoView({ block: "nearest" }); }
      view.moment = marks[id].at;
      if (show) reveal(marks[id]);
    }
    draw(); drawTable(); drawDetails();
  };
  const reveal = (mark) => {
    const width = view.to - view.from;
    if (mark.at < view.from + width * .03 || mark.at > view.to - width * .03) setView(mark.at - width / 2, mark.at + width / 2, false);
    const y = markY(mark);
    if (y < chart.scrollTop + 24 || y > chart.scrollTop + chart.clientHeight - AXIS - 24) chart.scrollTop = Math.max(y - chart.clientHeight / 2, 0);
  };
  const setView = (from, to, redraw = true) => {
    const width = clamp(to - from, 200, end * 1.02);
    const start = clamp(from, 0, Math.max(end * 1.02 - width, 0));
    [view.from, view.to] = [start, start + width];
    if (redraw) draw();
  };
  const zoom = (factor, around) => { const at = around ?? (view.from + view.to) / 2; setView(at - (at - view.from) * factor, at + (view.to - at) * factor); };
  const pan = (share) => { const by = (view.to - view.from) * share; setView(view.from + by, view.to + by); };
  const fit = () => setView(0, end * 1.02);
  const setMoment = (at) => { view.moment = clamp(Math.round(at), 0, end); draw(); drawTable(); };
  const step = (by) => {
    const line = marks.filter((it) => !it.minor || view.minor);
    const here = view.selected === null ? (by > 0 ? -1 : line.length) : line.findIndex((it) => it.id === view.selected);
    const next = line[clamp(here + by, 0, line.length - 1)];
    if (next !== undefined) choose(next.id, true);
  };

  // Mouse: drag pans, the wheel scrolls; with Ctrl or Alt, or over the axis, it zooms.
  let drag = null;
  chart.addEventListener("pointerdown", (event) => { if (event.button === 0 && !axis.contains(event.target)) drag = { left: event.clientX, top: event.clientY, from: view.from, to: view.to, moved: false, scroll: chart.scrollTop }; });
  addEventListener("pointermove", (event) => {
    if (drag === null) return;
    const by = event.clientX - drag.left;
    drag.moved ||= Math.abs(by) + Math.abs(event.clientY - drag.top) > 4;
    if (!drag.moved) return;
    chart.scrollTop = drag.scroll - (event.clientY - drag.top);
    const shift = -by / (view.width - GUTTER - RIGHT) * (drag.to - drag.from);
    setView(drag.from + shift, drag.to + shift);
  });
  addEventListener("pointerup", (event) => {
    const ended = drag;
    drag = null;
    if (ended === null || ended.moved) return;
    const { mark, span } = event.target.dataset ?? {};
    if (mark !== undefined) choose(Number(mark), false);
    else if (span !== undefined) { choose(null, false); view.chosenSpan = Number(span); draw(); drawDetails(); }
    else if (chart.contains(event.target)) {
      const left = event.clientX - chart.getBoundingClientRect().left;
      if (left >= GUTTER) setMoment(timeAt(left));
      if (view.selected !== null || view.chosenSpan !== null) choose(null, false);
    }
  });
  axis.addEventListener("click", (event) => setMoment(timeAt(event.clientX - chart.getBoundingClientRect().left)));
  chart.addEventListener("dblclick", (event) => zoom(.4, timeAt(event.clientX - chart.getBoundingClientRect().left)));
  chart.addEventListener("wheel", (event) => {
    const zooms = event.ctrlKey || event.altKey || axis.contains(event.target);
    if (zooms) { event.preventDefault(); zoom(event.deltaY > 0 ? 1.25 : .8, timeAt(event.clientX - chart.getBoundingClientRect().left)); }
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) { event.preventDefault(); pan((event.deltaX || event.deltaY) / 1200); }
  }, { passive: false });
  body.addEventListener("pointerover", (event) => {
    const { mark, span } = event.target.dataset;
    if (mark === undefined && span === undefined) return;
    const it = mark !== undefined ? marks[mark] : spans[span];
    tip.textContent = `${seconds(it.at ?? it.from)} · ${lanes[it.lane].name}: ${it.text}`;
    tip.hidden = false;
    tip.style.left = clamp(event.clientX + 12, 0, innerWidth - 392) + "px";
    tip.style.top = clamp(event.clientY + 16, 0, innerHeight - tip.offsetHeight - 8) + "px";
    const hovered = mark === undefined ? null : Number(mark);
    if (hovered !== null && drag === null && marks[hovered].causes.length + marks[hovered].effects.length > 0) hover(hovered, event.target);
  });
  // Only arrows are drawn anew: the mark under the pointer must stay what it is.
  const hover = (id, target) => {
    view.hovered = id;
    body.querySelectorAll(".arrow.hovered").forEach((it) => it.remove());
    const links = new Set(chain(id)), drawn = [];
    for (const link of links) for (const cause of marks[link].causes) if (links.has(cause)) drawn.push(arrow(cause, link, true));
    for (const effect of marks[id].effects.slice(0, CHAIN_MAX)) drawn.push(arrow(id, effect, true));
    for (const path of drawn) if (path !== null) { path.classList.add("hovered"); target.parentNode.insertBefore(path, target.parentNode.lastChild); }
  };
  body.addEventListener("pointerout", () => { tip.hidden = true; view.hovered = null; body.querySelectorAll(".arrow.hovered").forEach((it) => it.remove()); });
  chart.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = {
      ArrowLeft: () => pan(-.15), ArrowRight: () => pan(.15), "+": () => zoom(.7), "=": () => zoom(.7), "-": () => zoom(1.4), "0": fit,
      Home: fit, n: () => step(1), p: () => step(-1), Escape: () => choose(null, false),
    };
    if (keys[event.key] !== undefined) { event.preventDefault(); keys[event.key](); }
  });

  byId("zoom-in").addEventListener("click", () => zoom(.6, view.selected === null ? undefined : marks[view.selected].at));
  byId("zoom-out").addEventListener("click", () => zoom(1.6));
  byId("fit").addEventListener("click", fit);
  byId("minor").addEventListener("change", (event) => { view.minor = event.target.checked; draw(); });
  byId("moment").max = end;
  byId("moment").addEventListener("input", (event) => setMoment(Number(event.target.value)));
  const goToTable = (by) => { const place = tableAt(view.moment) + by; if (data.tables[place] !== undefined) setMoment(data.tables[place][0]); };
  byId("table-before").addEventListener("click", () => goToTable(-1));
  byId("table-after").addEventListener("click", () => goToTable(1));
  byId("copy").addEventListener("click", () => {
    const said = (word) => { byId("copy").textContent = word; setTimeout(() => { byId("copy").textContent = "Copy"; }, 1500); };
    const select = () => { getSelection().selectAllChildren(byId("command")); said("Selected"); };
    // A page from a file may not be allowed to.
    if (navigator.clipboard === undefined) select();
    else navigator.clipboard.writeText(byId("command").textContent).then(() => said("Copied"), select);
  });

  const legend = byId("legend");
  for (const kind of data.kinds) {
    if (!marks.some((it) => it.kind === kind)) continue;
    const item = element("span", {}), svg = make("svg", { width: 18, height: 18, viewBox: "-9 -9 18 18", "aria-hidden": "true" });
    svg.append(make("path", { class: "mark " + kind, d: SHAPES[kind] }));
    item.append(svg, WORDS[kind]);
    legend.append(item);
  }
  for (const [kind, word] of [["life", "a process lives"], ["pause", "paused"], ["fault", "a fault lasts"], ["lease", "lease, until the store ends it"], ["trust", "its holder trusts it"]]) {
    if (!spans.some((it) => it.kind === kind)) continue;
    const item = element("span", {}), svg = make("svg", { width: 26, height: 12, "aria-hidden": "true" });
    svg.append(make("rect", { class: "span " + kind, x: 1, y: 2, width: 24, height: kind === "trust" ? 5 : 8, rx: 1.5 }));
    item.append(svg, word);
    legend.append(item);
  }
  byId("legend-button").addEventListener("click", (event) => {
    legend.hidden = !legend.hidden;
    event.target.setAttribute("aria-expanded", String(!legend.hidden));
    draw();
  });

  const setTheme = (theme) => {
    if (theme === "system") delete root.dataset.theme; else root.dataset.theme = theme;
    byId("theme").textContent = "Theme: " + theme;
    root.dataset.dark = String(theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches));
  };
  const THEMES = ["system", "light", "dark"];
  const nextTheme = () => setTheme(THEMES[(THEMES.indexOf(root.dataset.theme ?? "system") + 1) % THEMES.length]);
  byId("theme").addEventListener("click", nextTheme);
  addEventListener("keydown", (event) => { if (event.key === "t" && !event.ctrlKey && !event.metaKey && event.target.tagName !== "INPUT") nextTheme(); });

  // `#story-3` selects a sentence, `#at=12.5` a moment, `#theme=dark` a theme; several with `&`.
  const follow = () => {
    for (const part of location.hash.slice(1).split("&")) {
      const told = part.match(/^story-(\d+)$/), at = part.match(/^at=([\d.]+)$/), theme = part.match(/^theme=(system|light|dark)$/);
      if (told !== null) {
        const sentence = story[Number(told[1]) - 1];
        if (sentence !== undefined && sentence.mark !== null) choose(sentence.mark, true);
      }
      if (at !== null) setMoment(Number(at[1]) * 1e6);
      if (theme !== null) setTheme(theme[1]);
    }
  };
  document.querySelectorAll("#story a").forEach((it) => it.addEventListener("click", () => { if (it.hash === location.hash) follow(); }));
  addEventListener("hashchange", follow);

  setTheme("system");
  root.dataset.ready = "yes";
  // What the story leads up to is where the eye should fall first.
  const first = story.find((it) => it.mark !== null && marks[it.mark].kind === "violation");
  fit();
  // Of a long run, the part that the story is about.
  if (first !== undefined) {
    const told = story.slice(0, story.indexOf(first) + 1).filter((it) => it.mark !== null).map((it) => marks[it.mark].at);
    const [from, to] = [Math.min(...told), Math.max(...told)];
    if (to - from < end * .6) setView(from - Math.max(to - from, end / 50) * .1, to + Math.max(to - from, end / 50) * .25, false);
  }
  if (first !== undefined && !location.hash.includes("story-")) choose(first.mark, true);
  else choose(null, false);
  follow();
  new ResizeObserver(() => draw()).observe(chart);
  Object.assign(root.dataset, { lanes: lanes.length, happenings: marks.length, story: story.length, tables: data.tables.length, errors: errors.join("; ") });
})();
