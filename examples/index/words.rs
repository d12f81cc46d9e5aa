//! How often each word occurs.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use xxhash_rust::xxh3::xxh3_64;

/// Texts above this size are split between workers.
const CHUNK: usize = 1 << 20;
const SHARDS: usize = 16;

/// Counts of words. Sharded by hash, so that two of them are merged by many workers at
/// once: the last merge is half of all, and must not be left to one.
#[derive(Default)]
pub struct Words {
    shards: [Shard; SHARDS],
}

type Shard = HashMap<Box<[u8]>, u64, BuildHasherDefault<WordHasher>>;

/// The standard library's hash guards against crafted keys, which costs half of the time here.
#[derive(Default)]
pub struct WordHasher(u64);

impl Hasher for WordHasher {
    fn write(&mut self, word: &[u8]) {
        self.0 = xxh3_64(word);
    }

    /// Called with the word's length, which the hash of its bytes covers.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Words {
    /// Counts the words of `text`: runs of ASCII letters and digits and of bytes beyond
    /// ASCII. ASCII letters are to be lower case already.
    pub fn count(&mut self, text: &[u8]) {
        if let Some((left, right)) = halves(text) {
            let mut other = Self::default();
            filch::join(|| self.count(left), || other.count(right));
            return self.merge(other);
        }
        for word in text.split(|&byte| !in_word(byte)).filter(|word| !word.is_empty()) {
            // Not the bits by which the map chooses its buckets.
            let shard = &mut self.shards[(xxh3_64(word) >> 32) as usize % SHARDS];
            match shard.get_mut(word) {
                Some(count) => *count += 1,
                None => drop(shard.insert(word.into(), 1)),
            }
        }
    }

    pub fn merge(&mut self, mut other: Self) {
        merge(&mut self.shards, &mut other.shards);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.shards.iter().flatten().map(|(word, &count)| (&**word, count))
    }
}

fn merge(ours: &mut [Shard], theirs: &mut [Shard]) {
    if let ([ours], [theirs]) = (&mut *ours, &mut *theirs) {
        if ours.len() < theirs.len() {
            std::mem::swap(ours, theirs);
        }
        for (word, count) in theirs.drain() {
            *ours.entry(word).or_default() += count;
        }
        return;
    }
    let (ours, our_rest) = ours.split_at_mut(ours.len() / 2);
    let (theirs, their_rest) = theirs.split_at_mut(theirs.len() / 2);
    filch::join(|| merge(ours, theirs), || merge(our_rest, their_rest));
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// A long text in two, between words; `None` if it's short, or one word from the middle on.
fn halves(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let middle = Some(text.len() / 2).filter(|_| text.len() > CHUNK)?;
    let gap = text[middle..].iter().position(|&byte| !in_word(byte))?;
    Some(text.split_at(middle + gap))
}
