//! What workers did, as Chrome's trace format has it, which Perfetto opens: JSON, a line an event.
//!
//! A worker is a thread of the trace. Jobs are slices, one inside the other, and so are the times in
//! which it searches, sleeps or blocks; all else is an instant. A slice comes as its begin and its end,
//! in the order of time, and they balance: a job whose begin has been overwritten in the ring begins
//! with what is left, and whatever is open ends when the trace was taken.

use crate::telemetry::activity::Status;
use crate::telemetry::event::{Event, JobKind};
use std::fmt::{self, Display};
use std::io::{self, Write};

/// What one worker did.
pub struct Track {
    pub worker: usize,
    pub name: String,
    /// The oldest first, with their ticks.
    pub events: Vec<(u64, Event)>,
}

/// What is to be written.
pub struct Trace {
    /// The process's.
    pub pid: u32,
    pub pool: usize,
    pub tracks: Vec<Track>,
    /// When it was taken, in ticks.
    pub taken: u64,
    pub nanoseconds_per_tick: f64,
}

/// What there is to be seen of an event.
#[derive(Debug, PartialEq, Eq)]
enum Mark {
    Begin(&'static str),
    /// The last slice that has begun and not ended ends.
    End,
    /// With what the number says, and the number.
    Instant(&'static str, Option<(&'static str, usize)>),
}

/// A slice that has begun and not ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Job,
    Status,
}

fn job_name(job: JobKind) -> &'static str {
    match job {
        JobKind::Frame => "frame",
        JobKind::Call => "call",
        JobKind::Scoped => "scope task",
        JobKind::Task => "task",
    }
}

/// None for what is no slice: while it runs, its jobs are.
fn status_name(status: Status) -> Option<&'static str> {
    match status {
        Status::Searching => Some("searching"),
        Status::Parked => Some("parked"),
        Status::Blocked => Some("blocked"),
        // Nobody enters the last one: others see it.
        Status::Starting | Status::Running | Status::Stopped | Status::Retiring => None,
    }
}

/// The jobs that end among the events and don't begin there, the outermost first.
fn begun_before(events: &[(u64, Event)]) -> Vec<JobKind> {
    let (mut begun, mut depth) = (Vec::new(), 0_usize);
    for &(_, event) in events {
        match event {
            Event::Begin(_) => depth += 1,
            Event::End(job) if depth == 0 => begun.push(job),
            Event::End(_) => depth -= 1,
            _ => {}
        }
    }
    begun.reverse();
    begun
}

/// What there is to be seen, with ticks that never go back.
fn marks(events: &[(u64, Event)], taken: u64) -> Vec<(u64, Mark)> {
    let mut now = events.first().map_or(taken, |first| first.0);
    let begun = begun_before(events);
    let mut open = vec![Open::Job; begun.len()];
    let mut marks: Vec<_> =
        begun.into_iter().map(|job| (now, Mark::Begin(job_name(job)))).collect();
    let mut about = Status::Running;
    for &(ticks, event) in events {
        // Another CPU's counter may be behind by a few.
        now = now.max(ticks);
        let mut mark = |mark| marks.push((now, mark));
        match event {
            Event::Begin(job) => {
                open.push(Open::Job);
                mark(Mark::Begin(job_name(job)));
            }
            Event::End(_) => {
                while let Some(slice) = open.pop() {
                    mark(Mark::End);
                    if slice == Open::Job {
                        break;
                    }
                }
            }
            Event::Is(status) if status == about => {}
            Event::Is(status) => {
                about = status;
                if open.pop_if(|last| *last == Open::Status).is_some() {
                    mark(Mark::End);
                }
                if let Some(name) = status_name(status) {
                    open.push(Open::Status);
                    mark(Mark::Begin(name));
                }
            }
            Event::Steal(victim) => mark(Mark::Instant("steal", Some(("from", victim)))),
            Event::Pull(victim) => mark(Mark::Instant("pull", Some(("from", victim)))),
            Event::Wake(sleeper) => mark(Mark::Instant("wake", Some(("worker", sleeper)))),
            Event::Expose => mark(Mark::Instant("expose", None)),
        }
    }
    marks.extend(open.iter().map(|_| (now.max(taken), Mark::End)));
    marks
}

impl Trace {
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { pid, pool, .. } = self;
        writeln!(out, r#"{{"displayTimeUnit":"ns","traceEvents":["#)?;
        write!(out, r#"{{"ph":"M","pid":{pid},"name":"process_name","#)?;
        write!(out, r#""args":{{"name":"filch pool {pool}"}}}}"#)?;
        self.tracks.iter().try_for_each(|track| self.write_track(out, track))?;
        writeln!(out, "\n]}}")
    }

    fn write_track(&self, out: &mut impl Write, track: &Track) -> io::Result<()> {
        let (pid, worker, name) = (self.pid, track.worker, Quoted(&track.name));
        writeln!(out, ",")?;
        write!(out, r#"{{"ph":"M","pid":{pid},"tid":{worker},"name":"thread_name","#)?;
        write!(out, r#""args":{{"name":{name}}}}}"#)?;
        for (ticks, mark) in marks(&track.events, self.taken) {
            let microseconds = ticks as f64 * self.nanoseconds_per_tick / 1e3;
            writeln!(out, ",")?;
            write!(out, r#"{{"pid":{pid},"tid":{worker},"ts":{microseconds:.3},"#)?;
            match mark {
                Mark::Begin(name) => write!(out, r#""ph":"B","name":"{name}"}}"#)?,
                Mark::End => write!(out, r#""ph":"E"}}"#)?,
                Mark::Instant(name, about) => {
                    write!(out, r#""ph":"i","s":"t","name":"{name}""#)?;
                    if let Some((what, number)) = about {
                        write!(out, r#","args":{{"{what}":{number}}}"#)?;
                    }
                    write!(out, "}}")?;
                }
            }
        }
        Ok(())
    }
}

/// A string of JSON.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\0'..' ' => write!(f, "\\u{:04x}", u32::from(c))?,
                _ => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Mark, Quoted, Trace, Track, marks};
    use crate::telemetry::activity::Status;
    use crate::telemetry::event::{Event, JobKind};

    #[test]
    fn jobs_whose_begin_is_lost_begin_with_what_is_left() {
        let events = [
            (5, Event::Steal(1)),
            (6, Event::End(JobKind::Scoped)),
            (7, Event::Begin(JobKind::Frame)),
            (8, Event::End(JobKind::Frame)),
            (9, Event::End(JobKind::Call)),
        ];
        let expected = [
            (5, Mark::Begin("call")),
            (5, Mark::Begin("scope task")),
            (5, Mark::Instant("steal", Some(("from", 1)))),
            (6, Mark::End),
            (7, Mark::Begin("frame")),
            (8, Mark::End),
            (9, Mark::End),
        ];
        assert_eq!(marks(&events, 10), expected);
    }

    #[test]
    fn what_is_open_ends_when_the_trace_is_taken() {
        let events = [
            (1, Event::Is(Status::Searching)),
            (2, Event::Is(Status::Parked)),
            (3, Event::Is(Status::Running)),
            (4, Event::Begin(JobKind::Task)),
            (5, Event::Is(Status::Blocked)),
            (6, Event::Begin(JobKind::Task)),
            // Both away already: in `blocking`.
            (7, Event::Is(Status::Blocked)),
            (8, Event::Is(Status::Blocked)),
        ];
        let expected = [
            (1, Mark::Begin("searching")),
            (2, Mark::End),
            (2, Mark::Begin("parked")),
            (3, Mark::End),
            (4, Mark::Begin("task")),
            (5, Mark::Begin("blocked")),
            (6, Mark::Begin("task")),
            (9, Mark::End),
            (9, Mark::End),
            (9, Mark::End),
        ];
        assert_eq!(marks(&events, 9), expected);
        assert_eq!(marks(&[], 9), []);
    }

    #[test]
    fn time_never_goes_back() {
        let events = [(5, Event::Expose), (4, Event::Begin(JobKind::Task)), (6, Event::Expose)];
        let times: Vec<_> = marks(&events, 3).iter().map(|mark| mark.0).collect();
        assert_eq!(times, [5, 5, 6, 6]);
    }

    #[test]
    fn names_are_escaped() {
        let quoted = Quoted("a \"b\" \\ \n \u{7f} ü").to_string();
        assert_eq!(quoted, "\"a \\\"b\\\" \\\\ \\u000a \u{7f} ü\"");
    }

    #[test]
    fn the_text_is_as_chrome_has_it() {
        let events = vec![(1500, Event::Begin(JobKind::Task)), (1501, Event::Pull(0))];
        let track = Track { worker: 1, name: "a\tb".into(), events };
        let trace =
            Trace { pid: 7, pool: 3, tracks: vec![track], taken: 2000, nanoseconds_per_tick: 0.5 };
        let mut text = Vec::new();
        trace.write(&mut text).unwrap();
        let expected = r#"{"displayTimeUnit":"ns","traceEvents":[
{"ph":"M","pid":7,"name":"process_name","args":{"name":"filch pool 3"}},
{"ph":"M","pid":7,"tid":1,"name":"thread_name","args":{"name":"a\u0009b"}},
{"pid":7,"tid":1,"ts":0.750,"ph":"B","name":"task"},
{"pid":7,"tid":1,"ts":0.750,"ph":"i","s":"t","name":"pull","args":{"from":0}},
{"pid":7,"tid":1,"ts":1.000,"ph":"E"}
]}
"#;
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
