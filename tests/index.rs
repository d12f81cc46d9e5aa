//! The example's index of a tree is what a plain loop over it finds, for any number of
//! workers. The reference shares no code with the example, and compares files, not hashes.
#![cfg(not(any(miri, loom)))]

#[path = "../examples/index/tally.rs"]
mod tally;
#[path = "../examples/index/walk.rs"]
mod walk;
#[path = "../examples/index/words.rs"]
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use tally::{Sum, Summary};

type Words = BTreeMap<Vec<u8>, u64>;

#[test]
fn a_tree_of_every_oddity_is_indexed_as_by_a_plain_loop() {
    let tree = Tree::new("odd");
    for i in 0..200_u64 {
        let text = prose(i % 150, 20 * i);
        // Every 150th is a copy of an earlier one.
        tree.file(&format!("plain/{}/{}/{i}.txt", i % 7, i % 3), text);
        tree.file(&format!("binary/{i}.BIN"), noise(i, 3 * i));
    }
    tree.file("empty", "");
    tree.file("plain/empty.txt", "");
    tree.file("no-word.txt", " \n.,;_-\t");
    tree.file("UPPER.TXT", "The THE the tHe straße STRASSE Straße x_y a1 1a");
    tree.file("not-utf-8.txt", b"caf\xe9 caf\xe9s \xff\xfe \xff\xfe a\x01b \x80");
    tree.file("not-text.txt", b"nowhere \x00 else");
    tree.file(&format!("{}deep", "nest/".repeat(60)), "deep down");
    // Longer than what one worker counts in one go; the second has no place to split it.
    tree.file("long.txt", prose(1, 400_000));
    tree.file("one-word.txt", vec![b'w'; 3 << 20]);
    fs::create_dir(tree.0.join("nothing-in-it")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::{ffi::OsStrExt, fs::symlink};
        symlink("..", tree.0.join("plain/loop")).unwrap();
        symlink("../UPPER.TXT", tree.0.join("plain/link.txt")).unwrap();
        symlink("nowhere", tree.0.join("dangling")).unwrap();
        fs::write(tree.0.join(std::ffi::OsStr::from_bytes(b"odd\xffname.t\xfft")), "odd").unwrap();
    }
    compare(&tree.0);
}

#[test]
fn our_own_sources_are_indexed_as_by_a_plain_loop() {
    compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
}

#[test]
fn an_empty_tree_has_nothing_in_it() {
    let tree = Tree::new("empty");
    compare(&tree.0);
    let (summary, words) = index(&tree.0, 2);
    assert_eq!((summary, words), (Summary::default(), Words::new()));
}

#[test]
fn what_can_not_be_read_is_reported_and_the_rest_counted() {
    let tree = Tree::new("unreadable");
    tree.file("a", "still counted");
    let pool = pool(2);
    let missing = pool.install(|| walk::walk(&tree.0.join("missing")));
    assert!(missing.files.is_empty());
    assert_eq!(missing.unreadable[0].0, tree.0.join("missing"));
    let files = [tree.0.join("gone"), tree.0.join("a"), tree.0.clone()];
    let mut tally = pool.install(|| tally::tally(&files, &|| ()));
    let summary = Summary::new(&missing, &mut tally);
    assert_eq!((summary.total, summary.words), (Sum { files: 1, bytes: 13 }, 2));
    let unreadable: Vec<_> = summary.unreadable.into_iter().map(|(path, _)| path).collect();
    assert_eq!(unreadable, [tree.0.clone(), tree.0.join("gone"), tree.0.join("missing")]);
}

fn compare(root: &Path) {
    let (one, words) = index(root, 1);
    let mut expected = Reference::default();
    expected.visit(root);
    expected.check(&one, &words);
    for workers in [2, 16] {
        let (summary, many_words) = index(root, workers);
        assert_eq!(summary, one, "{workers} workers");
        assert!(many_words == words, "{workers} workers count other words");
    }
}

fn pool(workers: usize) -> filch::ThreadPool {
    filch::ThreadPoolBuilder::new().num_threads(workers).build().unwrap()
}

fn index(root: &Path, workers: usize) -> (Summary, Words) {
    pool(workers).install(|| {
        let found = walk::walk(root);
        let mut tally = tally::tally(&found.files, &|| ());
        let words = tally.words.iter().map(|(word, count)| (word.to_vec(), count)).collect();
        assert!(!found.latencies.is_empty());
        (Summary::new(&found, &mut tally), words)
    })
}

#[derive(Default)]
struct Reference {
    contents: BTreeMap<Vec<u8>, BTreeSet<PathBuf>>,
    types: BTreeMap<String, (u64, u64)>,
    binary: u64,
    words: Words,
}

impl Reference {
    fn visit(&mut self, dir: &Path) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_symlink() {
                continue;
            } else if path.is_dir() {
                self.visit(&path);
            } else {
                self.read(path);
            }
        }
    }

    fn read(&mut self, path: PathBuf) {
        let content = fs::read(&path).unwrap();
        let extension = match path.extension() {
            Some(extension) => extension.to_string_lossy().to_ascii_lowercase(),
            None => String::new(),
        };
        let of_type = self.types.entry(extension).or_default();
        of_type.0 += 1;
        of_type.1 += content.len() as u64;
        let binary = content.contains(&0);
        self.binary += u64::from(binary);
        let text = if binary { &[] } else { &content[..] };
        let mut word = Vec::new();
        // A space after the end ends the last word.
        for &byte in text.iter().chain(b" ") {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | 0x80.. => word.push(byte),
                b'A'..=b'Z' => word.push(byte + 32),
                _ if word.is_empty() => {}
                _ => *self.words.entry(std::mem::take(&mut word)).or_default() += 1,
            }
        }
        self.contents.entry(content).or_default().insert(path);
    }

    fn check(&self, summary: &Summary, words: &Words) {
        let files = self.contents.values().map(|paths| paths.len() as u64).sum();
        let bytes = self.types.values().map(|of_type| of_type.1).sum();
        assert_eq!((summary.total, summary.binary), (Sum { files, bytes }, self.binary));

        assert!(*words == self.words, "the words differ");
        assert_eq!(summary.words, self.words.values().sum());
        assert_eq!(summary.different_words, self.words.len());
        let mut top: Vec<_> = self.words.iter().collect();
        top.sort_by_key(|&(word, count)| (u64::MAX - count, word));
        top.truncate(10);
        let top: Vec<_> = top
            .into_iter()
            .map(|(word, &count)| (count, String::from_utf8_lossy(word).into_owned()))
            .collect();
        assert_eq!(summary.top, top);

        assert!(summary.types.is_sorted_by(|a, b| a.1.bytes >= b.1.bytes));
        let types: BTreeMap<_, _> = summary
            .types
            .iter()
            .map(|(name, sum)| (name.clone(), (sum.files, sum.bytes)))
            .collect();
        assert_eq!(types, self.types);

        assert!(summary.duplicates.is_sorted_by(|a, b| a.0.bytes >= b.0.bytes));
        let mut duplicates = BTreeSet::new();
        for (wasted, paths) in &summary.duplicates {
            let copies = paths.len() as u64 - 1;
            let size = fs::metadata(&paths[0]).unwrap().len();
            assert_eq!(*wasted, Sum { files: copies, bytes: copies * size });
            duplicates.insert(paths.iter().cloned().collect::<BTreeSet<_>>());
        }
        let equal = |(content, paths): &(&Vec<u8>, &BTreeSet<PathBuf>)| {
            !content.is_empty() && paths.len() > 1
        };
        let expected: BTreeSet<_> =
            self.contents.iter().filter(equal).map(|(_, paths)| paths.clone()).collect();
        assert_eq!(duplicates, expected);
        assert_eq!(summary.unreadable, []);
    }
}

/// A directory that is removed at the end.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("filch-index-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The same numbers for the same seed.
fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    })
}

fn prose(seed: u64, words: u64) -> String {
    const WORDS: [&str; 8] = ["steal", "Lane", "the", "parked", "worker", "naïve", "ÉTÉ", "x86"];
    // Some words are common and many rare.
    numbers(seed)
        .take(words as usize)
        .map(|number| match number % 3 {
            0 => format!("w{} ", number % 5000),
            _ => format!("{}, ", WORDS[number as usize / 3 % 8]),
        })
        .collect()
}

fn noise(seed: u64, bytes: u64) -> Vec<u8> {
    numbers(seed).take(bytes as usize).map(|number| number as u8).collect()
}
