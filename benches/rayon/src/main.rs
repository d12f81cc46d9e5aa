//! Rayon programs in small: each shape is one kind of use that rayon is put to. `run SHAPE` measures
//! one with the rayon-core that this was built with; `compare STOCK OTHER` has two builds of this
//! program take turns.

mod compare;
mod random;
mod shapes;
mod timing;

use std::env;
use std::process::exit;

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["list"] => shapes::ALL.iter().for_each(|(name, _)| println!("{name}")),
        ["run", name] => match shapes::ALL.iter().find(|(shape, _)| *shape == name) {
            Some((_, shape)) => println!("{}", shape()),
            None => fail(&format!("no shape {name:?}; `list` names them")),
        },
        ["compare", stock, other, rounds, ref shapes @ ..] => match rounds.parse() {
            Ok(rounds) if rounds > 0 => compare::compare(stock, other, rounds, shapes),
            _ => fail("the number of rounds is no number above 0"),
        },
        _ => fail("usage: shapes list | run SHAPE | compare STOCK OTHER ROUNDS [SHAPE ...]"),
    }
}

fn fail(why: &str) -> ! {
    eprintln!("{why}");
    exit(2);
}
