//! One line per part while the system starts: animated in a terminal, plain elsewhere.

use std::fmt::Display;
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::terminal::print;

/// All lines. A clone shows the same lines.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    lines: MultiProgress,
    terminal: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { lines: MultiProgress::new(), terminal: std::io::stderr().is_terminal() }
    }

    /// Begins a line.
    pub(crate) fn line(&self, name: &str) -> Line {
        let bar = self.lines.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:14} {wide_msg}") {
            bar.set_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏·"));
        }
        bar.set_prefix(name.to_owned());
        if self.terminal {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Line { bar, terminal: self.terminal }
    }

    /// Stops to draw the lines, because other output follows.
    pub(crate) fn close(&self) {
        self.lines.set_draw_target(ProgressDrawTarget::hidden());
    }

    /// Prints a message above the lines.
    pub(crate) fn say(&self, text: impl Display) {
        if self.terminal {
            self.lines.suspend(|| print::err(text));
        } else {
            print::err(text);
        }
    }
}

/// One line.
#[derive(Debug)]
pub(crate) struct Line {
    bar: ProgressBar,
    terminal: bool,
}

impl Line {
    /// Shows the current step.
    pub(crate) fn now(&self, what: impl Display) {
        self.bar.set_message(what.to_string());
    }

    /// Ends the line with its duration.
    pub(crate) fn done(self, what: impl Display) {
        let text = format!("{what} ({:.1} s)", self.bar.elapsed().as_secs_f64());
        if self.terminal {
            if let Ok(style) = ProgressStyle::with_template("✓ {prefix:14} {wide_msg}") {
                self.bar.set_style(style);
            }
            self.bar.finish_with_message(text);
        } else {
            print::err(format_args!("✓ {:14} {text}", self.bar.prefix()));
        }
    }
}
