//! What a whole process costs: its time by the wall clock, and its peak of memory.

use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What one process took.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// From its start to its end.
    pub wall: Duration,
    /// The peak of its resident memory (`VmHWM`), without that of its children.
    pub peak_mib: u64,
}

impl Cost {
    /// Runs a process to its end, which must be a success. What it prints is thrown away, what it
    /// complains of is shown.
    ///
    /// # Errors
    /// The process does not start, or fails.
    pub fn of(command: &mut Command) -> io::Result<Self> {
        let began = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?;
        let status_file = format!("/proc/{}/status", child.id());
        let mut peak_mib = 0;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            peak_mib = peak_mib.max(peak(&status_file));
            std::thread::sleep(Duration::from_millis(2));
        };
        let wall = began.elapsed();
        if status.success() {
            return Ok(Self { wall, peak_mib });
        }
        let program = command.get_program().display();
        let words = command.get_args().collect::<Vec<_>>();
        Err(io::Error::other(format!("{program} {words:?}: {status}")))
    }
}

/// The peak of resident memory so far, in MiB; 0 once the process is gone.
fn peak(status_file: &str) -> u64 {
    let text = std::fs::read_to_string(status_file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB"))
        .and_then(|kib| kib.trim().parse::<u64>().ok())
        .map_or(0, |kib| kib / 1024)
}
