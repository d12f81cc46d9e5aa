//! How often each word occurs.

use filch::ThreadPool;
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use tracing::info_span;

/// Longer texts are split between workers.
const CHUNK: usize = 1 << 16;

pub type Words = HashMap<Vec<u8>, u64>;

/// Of the files together.
pub fn count(pool: &ThreadPool, files: &[PathBuf]) -> Result<Words, String> {
    let all = Mutex::new(Ok(Words::new()));
    pool.scope(|scope| {
        for file in files {
            let all = &all;
            scope.spawn_named("file", move |_| {
                let _span = info_span!("words", file = %file.display()).entered();
                let words = fs::read(file).map(|text| in_text(&text));
                let mut all = all.lock().unwrap();
                match (words, &mut *all) {
                    (Ok(words), Ok(all)) => merge(all, words),
                    (Err(error), _) => *all = Err(format!("{}: {error}", file.display())),
                    (_, Err(_)) => {}
                }
            });
        }
    });
    all.into_inner().unwrap()
}

fn in_text(text: &[u8]) -> Words {
    if let Some((left, right)) = halves(text) {
        let (mut left, right) = filch::join(|| in_text(left), || in_text(right));
        merge(&mut left, right);
        return left;
    }
    let mut words = Words::new();
    for word in text.split(|&byte| !is_letter(byte)).filter(|word| !word.is_empty()) {
        *words.entry(word.to_ascii_lowercase()).or_default() += 1;
    }
    words
}

/// A long text in two, between words.
fn halves(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let middle = Some(text.len() / 2).filter(|_| text.len() > CHUNK)?;
    let gap = text[middle..].iter().position(|&byte| !is_letter(byte))?;
    Some(text.split_at(middle + gap))
}

fn merge(into: &mut Words, from: Words) {
    for (word, count) in from {
        *into.entry(word).or_default() += count;
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || !byte.is_ascii()
}
