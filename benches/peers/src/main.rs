//! Measures filch beside other pools: `peers table` prints the table of docs/BENCHMARKS.md.
//! Each of its measurements is a process of its own, `peers measure`, as what one pool leaves
//! behind, be it threads or memory or a CPU that it is pinned to, must not meet the next one.

#[path = "../../common/mod.rs"]
mod common;
#[path = "../../workloads/mod.rs"]
mod workloads;

mod child;
mod contender;
mod driver;
mod heap;
mod idle;
mod latency;
mod memory;
mod outcome;
mod plots;
mod pools;
mod region;
mod report;
mod rows;
mod sample;
mod table;
mod targets;
mod timed;

use clap::{Parser, Subcommand};
use contender::Contender;
use std::error::Error;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static HEAP: heap::Heap = heap::Heap;

#[derive(Parser)]
#[command(about = "Measures filch beside other pools")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// One row on one pool in this process; prints a line of JSON
    Measure {
        row: String,
        pool: Contender,
        /// Or what else the row varies
        workers: NonZero<usize>,
    },
    /// All rows on all pools; prints a Markdown table
    Table {
        /// Only rows whose names contain one of these
        words: Vec<String>,
        /// Where to write plots; without it, what is only plotted isn't measured
        #[arg(long)]
        plots: Option<PathBuf>,
    },
    /// The names of all rows, with their pools and what they vary
    Rows,
}

fn main() -> ExitCode {
    match run(Arguments::parse().what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(what: What) -> Result<(), Box<dyn Error>> {
    match what {
        What::Measure { row, pool, workers } => {
            let row = rows::all()
                .find(|it| it.name == row)
                .ok_or("no such row; `peers rows` lists them")?;
            if !row.contenders().any(|contender| contender == pool) {
                return Err(format!("{pool} takes no part in {}", row.name).into());
            }
            let report = report::watched(|| (row.measure)(pool, workers.get()));
            println!("{}", serde_json::to_string(&report)?);
        }
        What::Table { words, plots } => driver::run(&words, plots.as_deref())?,
        What::Rows => rows::all().for_each(|row| println!("{row}")),
    }
    Ok(())
}
