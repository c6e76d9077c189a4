//! Who holds a lock, and whether that process still lives.
//!
//! A process is known by host, boot (with its pid namespace), pid and start time, so that neither
//! a reboot nor a pid that was given out again can pose as the holder.

use std::fmt;
use std::fs;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The person or service account.
    pub who: String,
    /// The host's name.
    pub host: String,
    /// The process on that host.
    pub pid: u32,
    /// When the process started, in clock ticks since boot; `None` where the system does not say.
    pub started: Option<u64>,
    /// The boot of the host and the pid namespace; empty where the system does not say.
    pub boot_id: String,
    /// What it does: `apply`, `rollback`, ….
    pub operation: String,
}

impl Holder {
    /// This process.
    pub fn of_this_process(who: impl Into<String>, operation: impl Into<String>) -> Self {
        let pid = std::process::id();
        Self {
            who: who.into(),
            host: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
            pid,
            started: stat(pid).map(|(_, started)| started),
            boot_id: boot(),
            operation: operation.into(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} (pid {})", self.who, self.host, self.pid)
    }
}

/// What can be told of a holder's process from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// It runs.
    Alive,
    /// It ran here and runs no longer.
    Gone,
    /// It ran on another host, or before a boot, or nobody can tell: only its lease counts.
    Elsewhere,
}

/// Looks for the holder's process.
pub(crate) fn life(holder: &Holder) -> Life {
    let here = rustix::system::uname();
    let same_host = here.nodename().to_string_lossy() == holder.host.as_str();
    if !same_host || holder.boot_id.is_empty() || holder.boot_id != boot() {
        return Life::Elsewhere;
    }
    let Some(pid) = i32::try_from(holder.pid).ok().and_then(Pid::from_raw) else {
        return Life::Elsewhere;
    };
    match test_kill_process(pid) {
        Err(Errno::SRCH) => Life::Gone,
        // The pid is taken; it is another process if it started at another time, and a process
        // that has ended but whose parent has not asked for it yet does nothing more.
        _ => match (holder.started, stat(holder.pid)) {
            (_, Some((b'Z' | b'X', _))) => Life::Gone,
            (Some(then), Some((_, now))) if then != now => Life::Gone,
            _ => Life::Alive,
        },
    }
}

fn boot() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    match boot.trim() {
        "" => String::new(),
        boot => format!("{boot} {}", namespace.display()),
    }
}

/// State letter and start time of a process: fields 3 and 22 of its `stat`. The second field may
/// hold blanks and parentheses, so the count starts after its last `)`.
fn stat(pid: u32) -> Option<(u8, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let started = fields.split(' ').nth(19)?.parse().ok()?;
    Some((*fields.as_bytes().first()?, started))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_a_reused_pid_is_not_it() {
        let me = Holder::of_this_process("ada", "apply");
        assert_eq!(life(&me), Life::Alive);
        let mut earlier = me.clone();
        earlier.started = me.started.map(|ticks| ticks - 1);
        assert_eq!(life(&earlier), Life::Gone);
    }

    #[test]
    fn an_ended_process_is_gone_and_one_of_another_host_or_boot_is_unknown() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let mut holder = Holder::of_this_process("ada", "apply");
        holder.pid = child.id();
        child.wait().unwrap();
        assert_eq!(life(&holder), Life::Gone);
        let mut other = holder.clone();
        other.host.push_str("-2");
        assert_eq!(life(&other), Life::Elsewhere);
        holder.boot_id.push('2');
        assert_eq!(life(&holder), Life::Elsewhere);
    }
}
