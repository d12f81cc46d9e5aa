//! Reads files, hashes them, and counts what is in them: a tree of joins over the list of
//! files, each leaf with a tally of its own, so that no two tasks write to one place.

use crate::walk::Found;
use crate::words::Words;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_128;

/// Files in a leaf: enough for a tally to be worth its merge.
const BATCH: usize = 16;

/// What has been counted in some of the files.
#[derive(Default)]
pub struct Tally<'a> {
    pub words: Words,
    /// Files that aren't text.
    binary: u64,
    types: BTreeMap<String, Sum>,
    contents: Vec<Content<'a>>,
    unreadable: Vec<(PathBuf, String)>,
}

/// Some of the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    pub files: u64,
    pub bytes: u64,
}

/// Size, hash and name of a file. With the first two equal, files are taken to be equal.
type Content<'a> = (u64, u128, &'a Path);

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

/// Reads all `files`. `done` is called after each.
pub fn tally<'a>(files: &'a [PathBuf], done: &(impl Fn() + Sync)) -> Tally<'a> {
    if files.len() > BATCH {
        let (left, right) = files.split_at(files.len() / 2);
        let (mut left, right) = filch::join(|| tally(left, done), || tally(right, done));
        left.merge(right);
        return left;
    }
    let (mut tally, mut text) = (Tally::default(), Vec::new());
    for path in files {
        text.clear();
        match File::open(path).and_then(|mut file| file.read_to_end(&mut text)) {
            Ok(_) => tally.add(path, &mut text),
            Err(error) => tally.unreadable.push((path.clone(), error.to_string())),
        }
        done();
    }
    tally
}

impl<'a> Tally<'a> {
    fn add(&mut self, path: &'a Path, text: &mut [u8]) {
        let bytes = text.len() as u64;
        self.contents.push((bytes, xxh3_128(text), path));
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        *self.types.entry(extension.to_ascii_lowercase()).or_default() += Sum { files: 1, bytes };
        // As grep tells: what contains a NUL byte is no text, and has no words.
        if text.contains(&0) {
            self.binary += 1;
        } else {
            text.make_ascii_lowercase();
            self.words.count(text);
        }
    }

    fn merge(&mut self, mut other: Self) {
        self.words.merge(other.words);
        self.binary += other.binary;
        self.contents.append(&mut other.contents);
        self.unreadable.append(&mut other.unreadable);
        for (extension, sum) in other.types {
            *self.types.entry(extension).or_default() += sum;
        }
    }
}

/// The answer: the same for any number of workers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub total: Sum,
    /// Files that contain a NUL byte, and so aren't searched for words.
    pub binary: u64,
    pub words: u64,
    pub different_words: usize,
    /// The ten most frequent words, most frequent first.
    pub top: Vec<(u64, String)>,
    /// By extension, most bytes first.
    pub types: Vec<(String, Sum)>,
    /// Files of the same content, not empty, most wasteful first; what all but one waste.
    pub duplicates: Vec<(Sum, Vec<PathBuf>)>,
    pub unreadable: Vec<(PathBuf, String)>,
}

impl Summary {
    /// Of everything that was found.
    pub fn new(found: &Found, tally: &mut Tally) -> Self {
        let mut summary = Self { binary: tally.binary, ..Self::default() };
        let mut top: Vec<(Reverse<u64>, &[u8])> = Vec::new();
        for (word, count) in tally.words.iter() {
            summary.words += count;
            summary.different_words += 1;
            let place = top.partition_point(|other| *other < (Reverse(count), word));
            if place < 10 {
                top.insert(place, (Reverse(count), word));
                top.truncate(10);
            }
        }
        let readable = |word| String::from_utf8_lossy(word).into_owned();
        summary.top = top.into_iter().map(|(count, word)| (count.0, readable(word))).collect();

        summary.types.extend(tally.types.iter().map(|(name, &sum)| (name.clone(), sum)));
        summary.types.sort_by_key(|(_, sum)| Reverse(sum.bytes));
        summary.types.iter().for_each(|&(_, sum)| summary.total += sum);

        tally.contents.sort();
        for files in tally.contents.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let copies = files.len() as u64 - 1;
            let wasted = Sum { files: copies, bytes: copies * files[0].0 };
            if wasted.bytes > 0 {
                let paths = files.iter().map(|file| file.2.to_owned()).collect();
                summary.duplicates.push((wasted, paths));
            }
        }
        summary.duplicates.sort_by_key(|(wasted, _)| Reverse(wasted.bytes));
        summary.unreadable = [&found.unreadable[..], &tally.unreadable].concat();
        summary.unreadable.sort();
        summary
    }
}
