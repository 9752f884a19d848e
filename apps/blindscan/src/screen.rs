//! What goes to standard error while a command works: a bar on a terminal, else a line every few seconds; notes and warnings.

pub(crate) mod report;

use std::sync::Mutex;
use std::time::{Duration, Instant};

use blindscan_inference::roles::Phase;
use blindscan_workflow::events::{Events, JobProgress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Time between two lines where there is no terminal.
const PAUSE: Duration = Duration::from_secs(2);

/// Standard error.
pub(crate) struct Screen {
    terminal: bool,
    /// Of the job that runs, on a terminal.
    bar: Mutex<Option<ProgressBar>>,
    said: Mutex<Instant>,
}

impl Screen {
    /// A screen without a bar yet.
    pub(crate) fn new() -> Self {
        let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
        Self { terminal, bar: Mutex::default(), said: Mutex::new(Instant::now()) }
    }

    /// A line, with the bar out of its way.
    fn line(&self, text: &str) {
        match self.bar.lock().ok().as_deref() {
            Some(Some(bar)) => bar.suspend(|| eprintln!("{text}")),
            _ => eprintln!("{text}"),
        }
    }
}

fn new_bar() -> ProgressBar {
    let style = "{msg:28} {bar:30} {bytes:>11} of {total_bytes}, {eta} left";
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        .with_style(ProgressStyle::with_template(style).expect("a valid template"))
}

impl Events for Screen {
    fn progress(&self, progress: &JobProgress<'_>) {
        let JobProgress { phase, layer, layers, kind, bytes_done, bytes_expected, elapsed } = *progress;
        let word = match phase {
            Phase::Offline => "offline",
            Phase::Online => "online",
        };
        if self.terminal {
            let Ok(mut bar) = self.bar.lock() else { return };
            let bar = bar.get_or_insert_with(new_bar);
            bar.set_length(bytes_expected);
            bar.set_message(format!("{word} {layer}/{layers} {kind}"));
            bar.set_position(bytes_done);
            return;
        }
        let Ok(mut said) = self.said.lock() else { return };
        if said.elapsed() > PAUSE {
            *said = Instant::now();
            let spent = elapsed.as_secs_f64();
            let left = spent / bytes_done.max(1) as f64 * bytes_expected.saturating_sub(bytes_done) as f64;
            eprintln!(
                "{word} layer {layer} of {layers}: {:.1} of {:.1} MB, {spent:.0} s, about {left:.0} s left",
                bytes_done as f64 / 1e6,
                bytes_expected as f64 / 1e6
            );
        }
    }

    fn finished(&self) {
        if let Some(bar) = self.bar.lock().ok().and_then(|mut bar| bar.take()) {
            bar.finish_and_clear();
        }
    }

    fn note(&self, text: &str) {
        self.line(&format!("note: {text}"));
    }

    fn warning(&self, text: &str) {
        self.line(&format!("WARNING: {text}"));
    }
}
