//! Telling what happens, as it happens: each line with the time since the beginning.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Columns of a terminal that nobody has widened.
pub const COLUMNS: usize = 80;

/// Columns for the names of processes.
const NAME_COLUMNS: usize = "worker 1".len();

/// A story, from its beginning.
pub struct Story {
    began: Instant,
    began_wall: Duration,
}

impl Story {
    /// It begins now.
    pub fn begin() -> Self {
        let began_wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { began: Instant::now(), began_wall }
    }

    /// Tells what this process does or finds.
    pub fn say(&self, text: &str) {
        self.print("", text);
    }

    /// Tells what another process has said.
    pub fn quote(&self, who: &str, text: &str) {
        self.print(&format!("  {who:>NAME_COLUMNS$} │ "), text);
    }

    /// A time of the calendar, in milliseconds since the Unix epoch, as seconds since the beginning.
    pub fn seconds(&self, wall_ms: i64) -> String {
        format!("{:.2} s", wall_ms as f64 / 1e3 - self.began_wall.as_secs_f64())
    }

    fn print(&self, lead: &str, text: &str) {
        let time = format!("{:6.2} s  ", self.began.elapsed().as_secs_f64());
        let room = COLUMNS - time.len() - lead.chars().count();
        for (number, line) in wrapped(text, room).iter().enumerate() {
            let time = if number == 0 { time.as_str() } else { &" ".repeat(time.len()) };
            println!("{time}{lead}{line}");
        }
    }
}

/// Prints what stands above a story: a title, and what is going to happen.
pub fn open(title: &str, text: &str) {
    println!();
    println!("{title}");
    println!("{}", "─".repeat(title.chars().count()));
    println!();
    println!("{text}");
    println!();
}

/// Cuts a text between words into lines of at most `columns`, but for a longer word.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > columns {
            lines.push(word.to_owned());
        } else {
            line.extend([if line.is_empty() { "" } else { " " }, word]);
        }
    }
    lines
}
