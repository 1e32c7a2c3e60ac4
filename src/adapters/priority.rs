//! Which threads go first when there is more work than cores.

use std::io;

/// By how many steps of niceness the threads that nobody waits for go behind those of calls. They
/// still get a quarter of a core that a call's thread would like to have all of: enough to keep up,
/// since what they have to do costs less the more of it has gathered.
const STEPS_BEHIND: i32 = 5;

/// Lets this thread, and those that it starts from here on, go behind the threads of calls: the
/// ledger and the evidence may be a moment late, and a call may not.
pub fn go_behind() {
    // Whoever may not even do this goes on as before: it only costs time.
    let _ = go(STEPS_BEHIND);
}

/// Lets this thread go before others by so many steps of niceness.
///
/// # Errors
/// The process may not do that.
pub fn go_before(steps: u8) -> io::Result<()> {
    go(-i32::from(steps))
}

/// Linux keeps niceness by thread, and a new thread has that of the one that starts it.
fn go(steps: i32) -> io::Result<()> {
    let nice = rustix::process::getpriority_process(None)?;
    rustix::process::setpriority_process(None, nice.saturating_add(steps))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_behind_is_a_matter_of_one_thread_and_its_children() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let before = nice();
        let (here, child) = std::thread::spawn(move || {
            go_behind();
            (nice(), std::thread::spawn(nice).join().unwrap())
        })
        .join()
        .unwrap();
        // 19 is the end of the scale.
        assert_eq!(here, (before + STEPS_BEHIND).min(19));
        assert_eq!(child, here);
        assert_eq!(nice(), before);
    }
}
