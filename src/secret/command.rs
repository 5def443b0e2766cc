//! The output of a command, for secrets that a program hands out: a vault's client, a password
//! manager's.
//!
//! There is no shell: the words of the reference are the program and its arguments, so nothing in
//! them is expanded. The command runs in the configuration's folder with our environment, reads
//! nothing, and what it says beside its output is thrown away, since it may be secret. Its time
//! and its output are bounded; where its time is over, it is ended with all that it started.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

/// How long a command may take.
pub(super) const TIME: Duration = Duration::from_secs(10);

/// How often it is looked whether a command ended that has closed its output.
const LOOK: Duration = Duration::from_millis(5);

/// The words of a command, as a shell would part them; none where a quote is not closed, or
/// where there is no word.
pub(super) fn words(command: &str) -> Option<Vec<String>> {
    shlex::split(command).filter(|words| words.first().is_some_and(|word| !word.is_empty()))
}

/// Whether the program is there, without running it. The error says in words what is wrong.
pub(super) fn find(words: &[String], dir: &Path, path: Option<&Path>) -> Result<(), String> {
    let program = program(words, dir);
    let found = if program.components().count() > 1 {
        program.is_file()
    } else {
        let folders = path.map(|path| std::env::split_paths(path).collect::<Vec<_>>());
        folders.unwrap_or_default().iter().any(|folder| folder.join(&program).is_file())
    };
    if found { Ok(()) } else { Err("there is no such program".to_owned()) }
}

/// Runs the command, and returns at most `most` bytes and one more of what it prints. The error
/// says in words what is wrong, and nothing of what the command said.
pub(super) fn output(
    words: &[String],
    dir: &Path,
    time: Duration,
    most: u64,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let until = Instant::now() + time;
    let mut command = Command::new(program(words, dir));
    command
        .args(words.iter().skip(1))
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child =
        command.spawn().map_err(|error| format!("its program cannot be started: {error}"))?;
    let read = read(&mut child, until, most);
    let ended = match read {
        Some(_) => end(&mut child, until),
        None => None,
    };
    let Some((bytes, ended)) = read.zip(ended) else {
        kill(&mut child);
        return Err(format!("it did not end within {} s", time.as_secs_f32()));
    };
    if bytes.len() as u64 <= most && !ended {
        return Err("it ended with an error; run it by hand to see which".to_owned());
    }
    Ok(bytes)
}

/// Ends a command that was not waited for, and what it started.
fn kill(child: &mut Child) {
    // Its number stands for its group: nobody has waited for it, so it is nobody else's yet.
    #[cfg(unix)]
    let _ = rustix::process::kill_process_group(
        rustix::process::Pid::from_child(child),
        rustix::process::Signal::KILL,
    );
    let _ = child.kill();
    let _ = child.wait();
}

/// A program that is named by a path is looked for from the configuration's folder.
fn program(words: &[String], dir: &Path) -> PathBuf {
    let program = Path::new(words.first().map_or("", String::as_str));
    if program.components().count() > 1 { dir.join(program) } else { program.to_owned() }
}

/// What the command prints; none where it takes too long. A program that it left behind may keep
/// its output open, which takes too long as well.
fn read(child: &mut Child, until: Instant, most: u64) -> Option<Zeroizing<Vec<u8>>> {
    let stdout = child.stdout.take()?;
    let (done, read) = mpsc::sync_channel(1);
    thread::spawn(move || {
        // As large as it becomes, so that it does not move and leave a copy behind.
        let room = usize::try_from(most).unwrap_or_default() + 64;
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        if stdout.take(most + 1).read_to_end(&mut bytes).is_ok() {
            let _ = done.send(bytes);
        }
    });
    read.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
}

/// Whether the command ended well; none where it does not end.
fn end(child: &mut Child, until: Instant) -> Option<bool> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) if Instant::now() < until => thread::sleep(LOOK),
            Ok(None) | Err(_) => return None,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn run(command: &str, time: Duration) -> Result<String, String> {
        let words = words(command).expect("words");
        let bytes = output(&words, Path::new("/"), time, 16)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    #[test]
    fn a_command_s_output_is_read_without_a_shell() {
        assert_eq!(run("printf '%s' 'a $HOME b'", TIME), Ok("a $HOME b".to_owned()));
        assert_eq!(run("echo a;b", TIME), Ok("a;b\n".to_owned()));
        assert_eq!(run("cat", TIME), Ok(String::new()), "it reads nothing");
        assert_eq!(run("pwd", TIME), Ok("/\n".to_owned()));
    }

    #[test]
    fn a_command_that_fails_gives_nothing_and_says_nothing_of_its_own() {
        for command in ["sh -c 'echo hunter2; echo hunter2 >&2; exit 3'", "no-such-program-here"] {
            let error = run(command, TIME).expect_err(command);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended() {
        for command in ["sleep 20", "sh -c 'exec >&-; sleep 20'"] {
            let begun = Instant::now();
            let error = run(command, Duration::from_millis(100)).expect_err(command);
            assert_eq!(error, "it did not end within 0.1 s");
            assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        }
    }

    #[test]
    fn what_a_command_started_is_ended_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("pid");
        for after in ["wait", "exit 0"] {
            let command = format!("sh -c 'sleep 20 & echo $! > {}; {after}'", file.display());
            run(&command, Duration::from_millis(300)).expect_err("it does not end");
            let pid = std::fs::read_to_string(&file).expect("a number");
            let pid = rustix::process::Pid::from_raw(pid.trim().parse().expect("a number"));
            let there = || {
                let state =
                    std::fs::read_to_string(format!("/proc/{}/stat", pid.expect("a number")));
                state.is_ok_and(|state| !state.contains(") Z "))
            };
            let until = Instant::now() + Duration::from_secs(5);
            while there() {
                assert!(Instant::now() < until, "it is still there");
                thread::sleep(LOOK);
            }
        }
    }

    #[test]
    fn of_too_much_output_no_more_is_read_than_shows_it() {
        assert_eq!(run("yes", TIME).map(|text| text.len()), Ok(17));
    }

    #[test]
    fn a_program_is_looked_for_without_being_run() {
        let find = |command: &str| {
            find(&words(command).expect("words"), Path::new("/"), Some(Path::new("/usr/bin:/bin")))
        };
        assert_eq!(find("sh -c 'exit 1'"), Ok(()));
        assert_eq!(find("bin/sh"), Ok(()));
        assert!(find("no-such-program-here").is_err());
        assert!(find("./no-such-program-here").is_err());
    }
}
