//! A file of the kernel's that is read again and again, and what such files are made of.

use crate::telemetry::unavailable::{Fact, Unavailable};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Opened once; after that, reading costs a system call or two and no memory.
#[derive(Debug)]
pub struct SystemFile {
    path: PathBuf,
    file: Option<File>,
    buffer: Vec<u8>,
    /// Why it couldn't be opened, and how many calls go by until that is tried again.
    closed: Option<(Unavailable, u32)>,
}

/// Most are shorter; others make it grow.
const BUFFER: usize = 512;
/// What isn't there seldom comes, and to look for it costs as much as to read what is.
const TRY_EVERY: u32 = 12;
/// The kernel hands out what fits a page, of at least 4 kB, and no part of a record. None of the files
/// that are read here has records this long.
const RECORD: usize = 2048;

impl SystemFile {
    /// The file that has this path on the machine whose root is here.
    pub fn new(root: &Path, path: impl AsRef<Path>) -> Self {
        Self { path: below(root, path.as_ref()), file: None, buffer: vec![0; BUFFER], closed: None }
    }

    /// All of it, as it is now. One that can be read no more is opened anew; one that can't be opened
    /// is tried again now and then.
    pub fn read(&mut self) -> Fact<&[u8]> {
        let length = match self.file.as_ref().map(|file| fill(&mut self.buffer, file)) {
            Some(Ok(length)) => length,
            Some(Err(_)) | None => self.open_and_read()?,
        };
        Ok(&self.buffer[..length])
    }

    fn open_and_read(&mut self) -> Fact<usize> {
        self.file = None;
        if let Some((why, calls)) = &mut self.closed
            && *calls > 0
        {
            *calls -= 1;
            return Err(*why);
        }
        let read = File::open(&self.path).and_then(|file| {
            let length = fill(&mut self.buffer, &file)?;
            Ok((file, length))
        });
        match read.map_err(why) {
            Ok((file, length)) => {
                (self.file, self.closed) = (Some(file), None);
                Ok(length)
            }
            Err(why) => {
                self.closed = Some((why, TRY_EVERY - 1));
                Err(why)
            }
        }
    }

    /// The number that it holds and nothing else.
    pub fn number(&mut self) -> Fact<u64> {
        number(self.read()?.trim_ascii())
    }
}

/// Reads the whole file. The buffer is larger than that afterwards: a file that fills it may be
/// longer.
fn fill(buffer: &mut Vec<u8>, file: &File) -> io::Result<usize> {
    let mut length = 0;
    loop {
        match read_at(file, &mut buffer[length..], length as u64) {
            Ok(0) => return Ok(length),
            Ok(more) => {
                length += more;
                if more < RECORD && length < buffer.len() {
                    return Ok(length);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if length == buffer.len() {
            buffer.resize(2 * length, 0);
        }
    }
}

#[cfg(unix)]
use std::os::unix::fs::FileExt;

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    file.read_at(buffer, offset)
}

#[cfg(not(unix))]
fn read_at(_: &File, _: &mut [u8], _: u64) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

pub fn why(error: io::Error) -> Unavailable {
    match error.kind() {
        io::ErrorKind::NotFound => Unavailable::Missing,
        io::ErrorKind::PermissionDenied => Unavailable::Denied,
        _ => Unavailable::Unreadable,
    }
}

/// Not `join`, for which an absolute path replaces everything before it.
pub fn below(root: &Path, absolute: &Path) -> PathBuf {
    root.join(absolute.strip_prefix("/").unwrap_or(absolute))
}

pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n')
}

/// What lies between blanks.
pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// A whole number, or one with decimals.
pub fn number<N: std::str::FromStr>(word: &[u8]) -> Fact<N> {
    // Parsing takes a sign, which no file that we read has.
    let digits = Some(word).filter(|word| word.first().is_some_and(u8::is_ascii_digit));
    let text = digits.and_then(|digits| std::str::from_utf8(digits).ok());
    text.and_then(|text| text.parse().ok()).ok_or(Unavailable::Garbled)
}

/// The number that is the next word.
pub fn next<'w, N: std::str::FromStr>(words: &mut impl Iterator<Item = &'w [u8]>) -> Fact<N> {
    number(words.next().ok_or(Unavailable::Garbled)?)
}

/// The first number in the line that begins with this word.
pub fn entry(text: &[u8], name: &str) -> Fact<u64> {
    let mut found = lines(text)
        .map(words)
        .filter_map(|mut words| (words.next()? == name.as_bytes()).then(|| next(&mut words)));
    found.next().unwrap_or(Err(Unavailable::Missing))
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::{BUFFER, SystemFile, TRY_EVERY, entry, number};
    use crate::monitor::fixture::Tree;
    use crate::telemetry::unavailable::Unavailable;

    #[test]
    fn a_file_is_read_again_and_again_whatever_its_length() {
        let tree = Tree::new().file("/proc/x", "1\n");
        let mut file = SystemFile::new(tree.root(), "/proc/x");
        assert_eq!(file.number(), Ok(1));
        for length in [0, 1, BUFFER - 1, BUFFER, BUFFER + 1, 5 * BUFFER, 2] {
            let text = "x".repeat(length);
            tree.write("/proc/x", &text);
            assert_eq!(file.read(), Ok(text.as_bytes()));
        }
    }

    #[test]
    fn a_file_may_come_later() {
        let tree = Tree::new();
        let mut file = SystemFile::new(tree.root(), "/proc/x");
        assert_eq!(file.read(), Err(Unavailable::Missing));
        tree.write("/proc/x", "7");
        for _ in 1..TRY_EVERY {
            assert_eq!(file.read(), Err(Unavailable::Missing));
        }
        assert_eq!(file.number(), Ok(7));
        let mut folder = SystemFile::new(tree.root(), "/proc");
        assert_eq!(folder.read(), Err(Unavailable::Unreadable));
    }

    #[test]
    fn numbers_are_whole_words_without_a_sign() {
        assert_eq!(number(b"12"), Ok(12_u64));
        assert_eq!(number(b"0.25"), Ok(0.25));
        for word in ["", "+1", "-1", "1x", "x", "99999999999999999999", "\u{e9}"] {
            assert_eq!(number::<u64>(word.as_bytes()), Err(Unavailable::Garbled), "{word}");
        }
        assert_eq!(number::<f64>(b"nan"), Err(Unavailable::Garbled));
    }

    #[test]
    fn an_entry_is_found_by_the_whole_name() {
        let text = b"MemTotalX: 1 kB\nMemTotal: 2 kB\nEmpty:\n";
        assert_eq!(entry(text, "MemTotal:"), Ok(2));
        assert_eq!(entry(text, "MemFree:"), Err(Unavailable::Missing));
        assert_eq!(entry(text, "Empty:"), Err(Unavailable::Garbled));
    }
}
