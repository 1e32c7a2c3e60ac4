//! What processes cost, read from `/proc`.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// Ticks per second in `/proc`: `USER_HZ`, which is 100 on every architecture that Rust runs
/// servers on, whatever the kernel's own clock.
const TICKS_PER_SECOND: u64 = 100;

/// A process with the children that it has, such as nginx's workers.
#[derive(Clone)]
pub(crate) struct Processes(Vec<u32>);

impl Processes {
    /// The process and its children.
    pub(crate) fn of(pid: u32) -> Self {
        let mut found = vec![pid];
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let other = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            if let Some(other) = other
                && stat_field(other, 1) == Some(u64::from(pid))
            {
                found.push(other);
            }
        }
        Self(found)
    }

    /// The CPU time that they have used, in the kernel and outside, to 10 ms.
    pub(crate) fn cpu(&self) -> Duration {
        self.0.iter().map(|pid| cpu(*pid)).sum()
    }

    /// The CPU time that the running threads of the first process have used, by name: threads that
    /// are numbered count as one.
    pub(crate) fn threads(&self) -> BTreeMap<String, Duration> {
        let mut found = BTreeMap::new();
        let Some(pid) = self.0.first() else {
            return found;
        };
        for entry in fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let Ok(text) = fs::read_to_string(entry.path().join("stat")) else {
                continue;
            };
            let name = text
                .split_once('(')
                .and_then(|(_, rest)| rest.rsplit_once(')'))
                .map_or("", |(name, _)| name);
            let name = name.trim_end_matches(|last: char| last.is_ascii_digit() || last == '-');
            *found.entry(name.to_owned()).or_default() += cpu_in(&text);
        }
        found
    }

    /// The memory that they have in RAM, in bytes. What children share with each other counts
    /// for each of them.
    pub(crate) fn resident(&self) -> u64 {
        self.0.iter().filter_map(|pid| resident(*pid)).sum()
    }
}

fn cpu(pid: u32) -> Duration {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(Duration::ZERO, |text| cpu_in(&text))
}

/// The CPU time that a process or a thread has used, from the text of its `stat`.
fn cpu_in(text: &str) -> Duration {
    let ticks = field(text, 11).unwrap_or(0) + field(text, 12).unwrap_or(0);
    Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND)
}

/// The CPU time that this process has used.
pub(crate) fn own_cpu() -> Duration {
    cpu(std::process::id())
}

/// A number from `/proc/PID/stat`, counted from the state behind the name: the name is in
/// parentheses and can hold anything.
fn stat_field(pid: u32, index: usize) -> Option<u64> {
    field(
        &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?,
        index,
    )
}

fn field(text: &str, index: usize) -> Option<u64> {
    let (_, fields) = text.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(index)?.parse().ok()
}

fn resident(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// CPU time of the whole machine, over all cores.
#[derive(Clone, Copy)]
pub(crate) struct Machine {
    /// Used by processes, or taken by other virtual machines. Interrupts are left out: loopback
    /// traffic causes them, so they are ours.
    busy: Duration,
    /// Everything, idle time included.
    all: Duration,
}

impl Machine {
    /// As it is now; zero where `/proc/stat` does not tell.
    pub(crate) fn now() -> Self {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        // user nice system idle iowait irq softirq steal
        let mut fields = [0; 8];
        let line = text.lines().next().unwrap_or_default();
        for (field, word) in fields.iter_mut().zip(line.split_ascii_whitespace().skip(1)) {
            *field = word.parse().unwrap_or(0);
        }
        let [user, nice, system, .., steal] = fields;
        let time = |ticks: u64| Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND);
        Self {
            busy: time(user + nice + system + steal),
            all: time(fields.iter().sum()),
        }
    }

    /// The share of the machine that was used since then by processes other than those that used
    /// `ours`.
    pub(crate) fn others_since(self, then: Self, ours: Duration) -> f64 {
        let busy = self.busy.saturating_sub(then.busy).saturating_sub(ours);
        let all = self.all.saturating_sub(then.all);
        busy.as_secs_f64() / all.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}
