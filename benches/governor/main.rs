//! What the governor's decisions are worth, measured live:
//!
//! * `hog`: somebody else keeps a CPU busy on which a worker is pinned. How long tasks take under each victim policy;
//! * `quota`: the process has a CPU quota. How long tasks take, how many get done and how often the kernel stops the
//!   process, for a pool that adapts and one of fixed size. Needs the right to make a control group;
//! * `climb`: tasks block. What a pool that climbs gets done, beside pools of fixed sizes.
//!
//! `cargo bench --bench governor -- [WORDS] [--plots FOLDER]`. Linux only.

#[path = "../common/mod.rs"]
mod common;

mod climb;
mod hog;
mod load;
mod plot;
mod quota;

use common::machine;
use std::{env, fs};

fn main() {
    if quota::is_child() {
        return quota::measure();
    }
    if !cfg!(target_os = "linux") {
        println!("SKIPPED: what is measured here is read from Linux");
        return;
    }
    let (mut words, mut plots) = (vec![], None);
    let mut arguments = env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = arguments.next() {
        if word == "--plots" {
            plots = Some(common::plots(&mut arguments));
        } else {
            words.push(word);
        }
    }
    let plots = plots.inspect(|folder| fs::create_dir_all(folder).unwrap());
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    println!("{}", machine::line());
    if wanted("hog") {
        hog::run(plots.as_deref());
    }
    if wanted("quota") {
        quota::run();
    }
    if wanted("climb") {
        climb::run(plots.as_deref());
    }
}
