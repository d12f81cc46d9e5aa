//! Prometheus' text format, read strictly: what isn't allowed is an error.

use std::collections::BTreeMap;

/// All samples of a metric.
#[derive(Debug)]
pub struct Family {
    pub help: String,
    pub kind: String,
    /// By what follows the name (`_count`), and by the labels as they are written.
    pub samples: BTreeMap<(String, String), f64>,
}

impl Family {
    pub fn value(&self, labels: &str) -> f64 {
        self.sample("", labels)
    }

    pub fn sample(&self, suffix: &str, labels: &str) -> f64 {
        let sample = self.samples.get(&(suffix.into(), labels.into()));
        *sample.unwrap_or_else(|| panic!("no {labels} in {self:#?}"))
    }
}

pub fn parse(text: &str) -> Result<BTreeMap<String, Family>, String> {
    let mut families = BTreeMap::new();
    for block in text.split("\n\n").filter(|block| !block.is_empty()) {
        let (name, family) = family(block)?;
        if families.insert(name.clone(), family).is_some() {
            return Err(format!("{name} comes twice"));
        }
    }
    Ok(families)
}

/// Help, type, and samples of one metric.
fn family(block: &str) -> Result<(String, Family), String> {
    let mut lines = block.lines();
    let mut comment = |what: &str| {
        let line = lines.next().unwrap_or_default();
        let rest = line.strip_prefix(&format!("# {what} "));
        let rest = rest.and_then(|rest| rest.split_once(' '));
        rest.ok_or(format!("no {what} but: {line}"))
    };
    let (name, help) = comment("HELP")?;
    let (same, kind) = comment("TYPE")?;
    if name != same || !is_name(name) {
        return Err(format!("help of {name:?}, type of {same:?}"));
    }
    let mut samples = BTreeMap::new();
    for line in lines {
        let fault = |what: &str| format!("{what}: {line}");
        let (key, value) = line.rsplit_once(' ').ok_or(fault("no value"))?;
        let (sample, labels) = match key.split_once('{') {
            Some((sample, labels)) => {
                (sample, labels.strip_suffix('}').ok_or(fault("no end of labels"))?)
            }
            None => (key, ""),
        };
        let suffix = sample.strip_prefix(name).ok_or(fault("of another metric"))?;
        let suffixes: &[_] =
            if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        if !suffixes.contains(&suffix) || !are_labels(labels) {
            return Err(fault("a name or labels that can't be"));
        }
        let value = value.parse().map_err(|_| fault("no number"))?;
        if samples.insert((suffix.into(), labels.into()), value).is_some() {
            return Err(fault("twice"));
        }
    }
    let family = Family { help: help.into(), kind: kind.into(), samples };
    if kind == "histogram" {
        buckets_add_up(&family)?
    }
    Ok((name.into(), family))
}

fn is_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(is_allowed)
}

/// `name="value"`, each after the first one behind a comma; quotation marks and backslashes in a value
/// have a backslash before them.
fn are_labels(mut labels: &str) -> bool {
    while !labels.is_empty() {
        let Some((name, rest)) = labels.split_once("=\"") else { return false };
        let mut escaped = false;
        let end = rest.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end.filter(|_| is_name(name)) else { return false };
        labels = match rest[end + 1..].strip_prefix(',') {
            Some("") => return false,
            Some(next) => next,
            None if end + 1 == rest.len() => "",
            None => return false,
        };
    }
    true
}

/// The last bucket is for all, and none has fewer than the one before.
fn buckets_add_up(family: &Family) -> Result<(), String> {
    let of = |labels: &str| {
        labels.rsplit_once("le=\"").map(|(labels, bound)| {
            let bound = bound.trim_end_matches('"').parse::<f64>();
            (labels.trim_end_matches(',').to_owned(), bound)
        })
    };
    let mut buckets: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for ((suffix, labels), &count) in &family.samples {
        if suffix == "_bucket" {
            let (labels, bound) = of(labels).ok_or(format!("no bound: {labels}"))?;
            let bound = bound.map_err(|error| format!("{labels}: {error}"))?;
            buckets.entry(labels).or_default().push((bound, count));
        }
    }
    for (labels, mut buckets) in buckets {
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let grow = buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1);
        let all = (f64::INFINITY, family.sample("_count", &labels));
        if !grow || buckets.last() != Some(&all) {
            return Err(format!("{labels}: {buckets:?}"));
        }
    }
    Ok(())
}

#[test]
fn what_is_not_allowed_is_an_error() {
    let block = |sample: &str| format!("# HELP a Help.\n# TYPE a gauge\n{sample}\n");
    assert!(parse(&block("a{b=\"1, \\\" }\",c=\"\"} NaN")).unwrap()["a"].samples.len() == 1);
    assert!(parse(&block("a 1\na{b=\"\"} 1e-3")).is_ok());
    for sample in [
        "a one",
        "b 1",
        "a_sum 1",
        "a{b=1} 1",
        "a{b=\"1\" 1",
        "a{b=\"1\",} 1",
        "a{1=\"1\"} 1",
        "a{b=\"1\"\"} 1",
        "a 1\na 1",
    ] {
        assert!(parse(&block(sample)).is_err(), "{sample}");
    }
    assert!(parse("# TYPE a gauge\na 1\n").is_err());
    let block = |samples: &str| format!("# HELP a Help.\n# TYPE a histogram\n{samples}");
    let good = "a_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 2\na_sum 3\na_count 2\n";
    assert!(parse(&block(good)).is_ok());
    assert!(parse(&block(&good.replace("le=\"1\"} 1", "le=\"1\"} 3"))).is_err());
    assert!(parse(&block(&good.replace("_count 2", "_count 3"))).is_err());
}
