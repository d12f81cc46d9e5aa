//! Two builds of this program take turns.

use crate::shapes;
use crate::shapes::control::own_cpu;
use crate::timing::Cost;
use std::process::Command;

fn run(program: &str, shape: &str) -> Cost {
    let output = Command::new(program).args(["run", shape]).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{program} run {shape}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    text.parse().unwrap()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Prints a table: for each shape the medians over the rounds of both, and the other's over the stock's.
pub fn compare(stock: &str, other: &str, rounds: usize, only: &[&str]) {
    println!("| shape | stock, ms | filch, ms | wall | CPU |");
    println!("| --- | --- | --- | --- | --- |");
    let (mut product, mut many, mut beyond) = (1.0_f64, 0, None);
    for (shape, _) in shapes::ALL {
        if !only.is_empty() && !only.contains(shape) {
            continue;
        }
        let mut costs = [Vec::new(), Vec::new()];
        for round in 0..rounds {
            // To and fro, so that neither always comes second.
            for program in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                costs[program].push(run([stock, other][program], shape));
            }
        }
        let wall = costs.each_ref().map(|costs| median(costs.iter().map(|c| c.wall).collect()));
        let cpu = costs.each_ref().map(|costs| median(costs.iter().map(|c| c.cpu).collect()));
        let ratio = wall[1] / wall[0];
        let [stock, filch] = wall.map(|seconds| 1e3 * seconds);
        println!("| {shape} | {stock:.3} | {filch:.3} | {ratio:.2}x | {:.2}x |", cpu[1] / cpu[0]);
        // The pause between its ticks is as long for everybody, and most of its CPU time its own.
        if *shape == "control_loop" {
            beyond = Some(cpu.map(|cpu| cpu - own_cpu()));
        } else {
            (product, many) = (product * ratio, many + 1);
        }
    }
    if many > 0 {
        println!("\ngeometric mean of {many}: {:.3}x", product.powf(1.0 / f64::from(many)));
    }
    if let Some([stock, filch]) = beyond {
        let (own, ratio) = (1e3 * own_cpu(), filch / stock);
        let [stock, filch] = [stock, filch].map(|seconds| 1e3 * seconds);
        println!(
            "\ncontrol_loop: CPU beyond the program's own {own:.1} ms: {stock:.1}, {filch:.1} ms, {ratio:.2}x"
        );
    }
}
