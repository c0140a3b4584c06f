//! One self-contained page: no network, no font or script from elsewhere.

use std::fmt::Write;

use super::encode::{encode, shortened};
use super::model::Timeline;
use super::still::still;

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");
/// Nothing is loaded from anywhere: what a payload brings along finds no door.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// A page that shows a run. The same timeline makes the same bytes.
///
/// Without a script it still shows the story and a still picture.
pub fn html(timeline: &Timeline) -> String {
    let encoded = encode(timeline);
    let mut page = String::with_capacity(encoded.json.len() + STYLE.len() + SCRIPT.len() + (64 << 10));
    let title = escape(&timeline.title);
    let (good, verdict) = (if timeline.verdict.good { "good" } else { "bad" }, escape(&timeline.verdict.words));
    let mark = if timeline.verdict.good { "✓" } else { "✗" };
    let command = escape(&timeline.command);
    let seconds = timeline.ended.as_secs_f64();
    let story = story(timeline);
    let left_out = list("left-out", &encoded.left_out);
    let still = still(timeline);
    let lanes = timeline.lanes.len();
    write!(
        page,
        r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{STYLE}</style>
</head>
<body>
<header>
<div class="what"><h1>{title}</h1><p class="verdict {good}"><span aria-hidden="true">{mark}</span> {verdict}</p></div>
<div class="how"><code id="command">{command}</code><button type="button" id="copy" class="scripted">Copy</button>
<button type="button" id="theme" class="scripted" title="Light, dark, or as the system has it (t)">Theme: system</button></div>
</header>
<main>
<section id="story-side" aria-label="Story">
<h2>Story</h2>
{story}
{left_out}
</section>
<section id="chart-side" aria-label="Timeline">
<div class="bar"><h2>Timeline</h2><span class="size">{seconds:.3} s, {lanes} lanes</span>
<span class="tools scripted"><button type="button" id="zoom-in" title="Zoom in (+)" aria-label="Zoom in">+</button><button type="button" id="zoom-out" title="Zoom out (−)" aria-label="Zoom out">−</button><button type="button" id="fit" title="The whole run (0)">Fit</button><label><input type="checkbox" id="minor" checked> minor events</label><button type="button" id="legend-button" aria-expanded="false" aria-controls="legend">Legend</button></span></div>
<div id="legend" class="scripted" hidden></div>
<noscript><p class="hint">Scripts are off: this is a still picture. With scripts on you can zoom, select, and see tables.</p></noscript>
<div id="chart" tabindex="0" role="group" aria-label="Timeline. Arrow keys pan, plus and minus zoom, 0 shows all, n and p go to the next and previous happening." class="scripted"></div>
<figure id="still">{still}</figure>
<div id="moment-bar" class="scripted"><label for="moment">Moment</label><input type="range" id="moment" min="0" step="1"><output id="moment-time" for="moment"></output><button type="button" id="table-before" title="The table before this one">◀ table</button><button type="button" id="table-after" title="The table after this one">table ▶</button></div>
<div class="below scripted">
<section id="details" aria-live="polite" aria-label="Selected"></section>
<section id="table-side" aria-label="Table"></section>
</div>
</section>
</main>
<script type="application/json" id="data">{json}</script>
<script>
{SCRIPT}</script>
</body>
</html>
"##,
        json = encoded.json,
    )
    .expect("a string takes it");
    page
}

fn story(timeline: &Timeline) -> String {
    if timeline.story.is_empty() {
        return r#"<p class="empty">Nothing out of the ordinary: no fault came, and nothing broke.</p>"#.into();
    }
    let items = timeline.story.iter().enumerate().map(|(place, sentence)| {
        let text = escape(&shortened(&sentence.text));
        let when = sentence.happening.map(|id| timeline.happening(id));
        let (class, time) = match when {
            Some(it) => (it.kind.word(), format!("{:.3} s · {}", it.at.as_secs_f64(), escape(&timeline.lanes[it.lane.0].name))),
            None => ("note", String::new()),
        };
        format!(
            "<li class=\"{class}\"><a id=\"s{n}\" href=\"#story-{n}\"><span class=\"when\">{time}</span>{text}</a></li>\n",
            n = place + 1
        )
    });
    format!("<ol id=\"story\">\n{}</ol>", items.collect::<String>())
}

fn list(class: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let items = lines.iter().map(|line| format!("<li>{}</li>", escape(line)));
    format!("<ul class=\"{class}\">{}</ul>", items.collect::<String>())
}

/// Text as HTML, in an element or between double quotes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // A page must hold no control characters.
            it if it.is_control() && it != '\n' && it != '\t' => escaped.push('\u{fffd}'),
            it => escaped.push(it),
        }
    }
    escaped
}
