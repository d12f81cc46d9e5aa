//! A measurement in a process of its own.

use crate::contender::Contender;
use crate::outcome::Failure;
use crate::report::Report;
use crate::rows::Row;
use std::env;
use std::error::Error;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;
use wait_timeout::ChildExt;

/// How much longer than expected a measurement may take before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(20);

/// Of the machine's CPU time, in per cent: a measurement during which others took more is
/// taken again.
pub const DISTURBED: f64 = 5.0;

/// How often it is, before the least disturbed one has to do.
const AGAIN: usize = 2;

/// The report, and how many disturbed ones went before it.
pub fn measure(
    row: &Row,
    contender: Contender,
    workers: usize,
) -> Result<(Report, usize), Failure> {
    let others = |report: &Report| report.others.unwrap_or(0.0);
    let mut best = once(row, contender, workers)?;
    let mut repeated = 0;
    while others(&best) > DISTURBED && repeated < AGAIN {
        repeated += 1;
        let next = once(row, contender, workers)?;
        if others(&next) < others(&best) {
            best = next;
        }
    }
    Ok((best, repeated))
}

fn once(row: &Row, contender: Contender, workers: usize) -> Result<Report, Failure> {
    let text = output(row, contender, workers)
        .map_err(|error| Failure::Failed(error.to_string()))?
        .ok_or(Failure::Hung)?;
    let report: Report =
        serde_json::from_str(&text).map_err(|error| Failure::Failed(error.to_string()))?;
    let names = report.figures.iter().map(|figure| &*figure.name);
    match names.eq(row.figures.iter().copied()) {
        true => Ok(report),
        false => Err(Failure::Failed("these figures are not the row's".to_owned())),
    }
}

/// What the process says, or none if it had to be killed.
fn output(
    row: &Row,
    contender: Contender,
    workers: usize,
) -> Result<Option<String>, Box<dyn Error>> {
    let mut child = Command::new(env::current_exe()?)
        .args(["measure", row.name, &contender.argument(), &workers.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let Some(status) = child.wait_timeout(row.expected + PATIENCE)? else {
        child.kill()?;
        child.wait()?;
        return Ok(None);
    };
    if !status.success() {
        return Err(status.to_string().into());
    }
    // Short enough for the pipe to have held it.
    let mut text = String::new();
    child.stdout.take().ok_or("no output")?.read_to_string(&mut text)?;
    Ok(Some(text))
}
