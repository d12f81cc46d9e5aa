//! Nothing: each file beside this one, or `main.rs` of a folder, is a program that `cargo bench` runs.
