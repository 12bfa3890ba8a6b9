//! The words in which failures are reported to the user.

/// The number of last lines of a failure that are kept.
const TAIL: usize = 20;

/// The number of its last characters that are kept, for long lines.
const LONGEST: usize = 4000;

/// Signs of a common failure in what a command wrote, and what to do about it.
const HINTS: &[(&[&str], &str)] = &[
    (
        &["docker: not found", "docker: command not found", "docker: No such file"],
        "Docker is not installed on this host. Install it (https://docs.docker.com/engine/install/) and try again.",
    ),
    (
        &[
            "Cannot connect to the Docker daemon",
            "failed to connect to the docker API",
            "Is the docker daemon running",
        ],
        "Docker is installed, but its daemon does not run. Start it (systemctl start docker, or Docker Desktop) \
         and try again.",
    ),
    (
        &[
            "permission denied while trying to connect to the Docker",
            "docker.sock: connect: permission denied",
        ],
        "You may not use Docker on this host. Add your user to the group docker, or use root.",
    ),
    (
        &["port is already allocated", "address already in use", "ports are not available"],
        "Something else uses that port already. Stop it, or give this resource another port.",
    ),
    (
        &["No such image", "Unable to find image", "pull access denied", "manifest unknown", "/v2/"],
        "The image is not on this host, and cannot be fetched. Check its name, its tag and the network.",
    ),
    (
        &["a password is required", "interactive authentication is required", "a terminal is required"],
        "sudo asks for a password. Set _sudo_password, or let your user use sudo without one.",
    ),
    (&["No space left on device"], "The disk is full. Make room and try again."),
    (&["Read-only file system"], "Nothing can be written there. Choose another path."),
    (
        &["Permission denied", "Operation not permitted", "PermissionError"],
        "You may not do that as this user. Choose a path that you may write to, or run as a user who may.",
    ),
    (
        &["Command timed out after"],
        "It took longer than its _timeout allows, and was stopped. Give it more time, or find out what it waits for.",
    ),
    (&["cannot be written"], "Choose a path where a file can be."),
];

/// Composes the reason of a failure from pyinfra's messages and the exception.
pub fn message(complaints: &[String], raised: &str) -> String {
    let mut lines: Vec<&str> = complaints
        .iter()
        .flat_map(|text| text.lines())
        .map(plain)
        .filter(|line| !line.is_empty() && !is_summary(line))
        .collect();
    lines.dedup();
    let mut kept = lines.split_off(lines.len().saturating_sub(TAIL));
    if !raised.is_empty() {
        kept.push(raised);
    }
    if kept.is_empty() {
        return "It failed and did not say why. Run it by hand on the host to see.".to_owned();
    }
    let mut text = kept.join("\n");
    if let Some((start, _)) = text.char_indices().rev().nth(LONGEST) {
        text.replace_range(..start, "…");
    }
    match HINTS.iter().find(|(signs, _)| signs.iter().any(|sign| text.contains(sign))) {
        Some((_, hint)) => format!("{text}\n{hint}"),
        None => text,
    }
}

/// A line without the Python around an error's text in pyinfra's messages.
fn plain(line: &str) -> &str {
    let line = line.trim();
    for (start, end) in
        [("Command socket/SSH error: OSError('", "',)"), ("Command socket/SSH error: OSError(\"", "\",)")]
    {
        if let Some(inner) = line.strip_prefix(start).and_then(|rest| rest.strip_suffix(end)) {
            return inner;
        }
    }
    line
}

/// Returns true if a line only summarises another one.
fn is_summary(line: &str) -> bool {
    line.starts_with("Error: executed ")
        || line.starts_with("Error (ignored)")
        || line == "Error in nested operation"
        || (line.starts_with("Fact ") && line.ends_with("(this will raise an exception in v4)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_to_do_about_common_failures() {
        let text = message(&["sh: 1: docker: not found".into(), "Error: executed 0 commands".into()], "");
        assert!(text.starts_with("sh: 1: docker: not found\nDocker is not installed"));
    }
}
