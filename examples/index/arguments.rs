//! What the command line asks for.

use std::ffi::OsString;
use std::path::PathBuf;

/// What to index, and by how many workers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// `None` for the default.
    pub dir: Option<PathBuf>,
    /// 0 for the default.
    pub threads: usize,
    /// Where to write what the workers did.
    pub trace: Option<PathBuf>,
}

/// Understands the arguments; `None` if they ask for help. An error names the argument that
/// makes no sense.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Option<Arguments>, String> {
    let mut parsed = Arguments::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if text == "--help" || text == "-h" {
            return Ok(None);
        } else if text == "--threads" {
            let value = arguments.next().ok_or("--threads needs a number; see --help")?;
            parsed.threads = number(&value.to_string_lossy())?;
        } else if let Some(value) = text.strip_prefix("--threads=") {
            parsed.threads = number(value)?;
        } else if text == "--trace" {
            let file = arguments.next().filter(|file| !file.is_empty());
            parsed.trace = Some(file.ok_or("--trace needs a file; see --help")?.into());
        } else if text.starts_with('-') {
            return Err(format!("there is no option {text:?}; see --help"));
        } else if parsed.dir.is_some() {
            return Err(format!("one directory at a time, but {text:?} is the second; see --help"));
        } else {
            parsed.dir = Some(argument.into());
        }
    }
    Ok(Some(parsed))
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("--threads needs a number, not {text:?}; see --help"))
}
