//! The page of a run, opened in a browser as a person would: `cargo xtask test --external` runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const INSTALL: &str = "sudo apt-get install --no-install-recommends chromium";
/// A scenario file, and the planted bug that it names.
const BITTEN: (&str, &str) = ("regressions/zombie-ack.scn", "stale-completion-accepted");

fn chromium() -> PathBuf {
    let known = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|it| it.status.success());
    let name = ["chromium", "chromium-browser"].into_iter().find(|name| known(name));
    name.unwrap_or_else(|| panic!("chromium is not installed: {INSTALL}")).into()
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// What the page holds once its script has run, `arguments` being what the browser is told; errors fail.
fn opened(page: &Path, fragment: &str, arguments: &[&str]) -> String {
    // Each test has its own: two browsers share no profile.
    let profile = folder(&format!("chromium-{}", page.file_stem().unwrap().display()));
    // Bounded: `timeout` ends what it started, and nothing else.
    let mut browser = Command::new("timeout");
    browser.arg("60").arg(chromium());
    // As root it has no sandbox of its own; it opens one file of ours, and the page lets nothing in.
    browser.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--log-level=0"]);
    browser.args(["--window-size=1280,800", "--virtual-time-budget=5000", "--dump-dom"]).args(arguments);
    browser.arg(format!("--user-data-dir={}", profile.display()));
    let Output { status, stdout, stderr } =
        browser.arg(format!("file://{}{fragment}", page.display())).output().unwrap();
    let (dom, log) = (String::from_utf8(stdout).unwrap(), String::from_utf8_lossy(&stderr).into_owned());
    assert!(status.success(), "the browser ended with {status}: {log}");
    let console: Vec<&str> = log.lines().filter(|line| line.contains(":CONSOLE")).collect();
    assert!(console.is_empty(), "{console:?}");
    assert_eq!(attribute(&dom, "data-ready"), "yes", "the script has not run: {log}");
    assert_eq!(attribute(&dom, "data-errors"), "");
    dom
}

/// An attribute of the page's root.
fn attribute<'a>(dom: &'a str, name: &str) -> &'a str {
    let root = dom.split("<html").nth(1).and_then(|rest| rest.split('>').next()).expect("a page has a root");
    let value = root.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
    value.unwrap_or_else(|| panic!("no {name} in {root}"))
}

fn number(dom: &str, name: &str) -> usize {
    attribute(dom, name).parse().unwrap()
}

/// Writes the page of a run; what the command printed.
fn write(simulate: &Path, arguments: &[&str], page: &Path) -> String {
    // The last run's page must not be taken for this one's.
    let _ = std::fs::remove_file(page);
    let output = Command::new(simulate).args(arguments).arg("--html").arg(page).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(page.exists(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
#[ignore = "needs chromium; `cargo xtask test --external` runs it"]
fn the_page_of_a_run_that_passes_is_whole_and_of_bounded_size() {
    let page = folder("page").join("passes.html");
    let simulate = Path::new(env!("CARGO_BIN_EXE_simulate"));
    let said = write(simulate, &["run", "--seed", "5", "--workload", "cluster"], &page);
    assert!(said.contains("no violation") && said.contains("the run, to look at: "), "{said}");
    assert!(page.metadata().unwrap().len() < 2 << 20, "{} bytes", page.metadata().unwrap().len());

    let dom = opened(&page, "#theme=dark", &[]);
    assert_eq!((attribute(&dom, "data-theme"), attribute(&dom, "data-dark")), ("dark", "true"));
    assert!(dom.contains("verdict good"));
    assert_eq!(dom.matches("data-lane=").count(), number(&dom, "data-lanes"), "each lane has its name");
    assert!(number(&dom, "data-lanes") >= 4 && number(&dom, "data-happenings") > 100, "a server, workers, clients");
    for class in ["span life", "span lease", "span trust", "mark sync", "mark fault"] {
        assert!(dom.contains(&format!("class=\"{class}")), "no {class} is drawn");
    }
    assert_eq!(dom.matches("<table>").count(), 1);

    let dom = opened(&page, "#theme=light", &[]);
    assert_eq!(attribute(&dom, "data-dark"), "false");
    let dom = opened(&page, "", &["--blink-settings=preferredColorScheme=0"]);
    assert_eq!(attribute(&dom, "data-dark"), "true", "a dark system has a dark page");
}

#[test]
#[ignore = "needs chromium and the planted bugs; `cargo xtask test --external` runs it"]
fn the_page_of_a_run_that_fails_tells_its_story() {
    let planted = std::env::var_os("OUTLIVE_PLANTED_SIMULATE");
    let planted = PathBuf::from(planted.expect("`cargo xtask test --external` builds it and says where it is"));
    let page = folder("page").join("fails.html");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(BITTEN.0);
    let said = write(&planted, &["replay", file.to_str().unwrap(), "--mutant", BITTEN.1], &page);
    assert!(said.contains("VIOLATION of I2.d") && said.contains("why:"), "{said}");

    let dom = opened(&page, "", &[]);
    let violation = attribute(&dom, "data-selected").to_owned();
    assert!(dom.contains("verdict bad"));
    assert!(!violation.is_empty(), "the violation is selected");
    let sentences = number(&dom, "data-story");
    assert!(sentences >= 4, "a story has a beginning: {sentences}");
    assert_eq!(dom.matches("<a id=\"s").count(), sentences);
    assert_eq!(dom.matches("aria-current=\"true\"").count(), 1);
    assert!(dom.contains("class=\"mark violation\"") && dom.contains("class=\"arrow\""));
    assert!(dom.contains("class=\"arrow chosen\""), "what led to it is drawn");

    // Clicking a sentence goes to its fragment.
    let dom = opened(&page, "#story-2", &[]);
    let second = dom.split("<a id=\"s2\"").nth(1).and_then(|rest| rest.split('>').next()).unwrap();
    assert!(second.contains("aria-current=\"true\""), "{second}");
    let selected = attribute(&dom, "data-selected");
    assert!(!selected.is_empty() && selected != violation);
    assert!(dom.contains("class=\"halo\""), "it is marked on the timeline");
    let dom = opened(&page, "#at=0.001", &[]);
    assert!(dom.contains("0.001 s</output>"), "the moment was chosen");
}
