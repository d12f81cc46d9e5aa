//! Scrapes the binary `prometheus` as Prometheus would.

mod exposition;

use exposition::Family;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// Far above what it takes.
const TOO_LONG: Duration = Duration::from_secs(60);
const FILES: [&str; 3] = ["Cargo.toml", "Cargo.lock", "src/words.rs"];

struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start() -> Self {
        // Free until somebody else is given it.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_prometheus"));
        command.args(["--listen", &address.to_string()]).args(FILES).stdout(Stdio::piped());
        let mut process = command.current_dir(env!("CARGO_MANIFEST_DIR")).spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let place = said.next().unwrap().unwrap();
        assert_eq!(place, format!("metrics at http://{address}/metrics"));
        // So that it can go on talking.
        thread::spawn(move || said.for_each(drop));
        Self { process, address }
    }

    fn scrape(&self) -> BTreeMap<String, Family> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(TOO_LONG)).unwrap();
        // Of the old version, so that the answer comes in one piece.
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 200 OK"), "{head}");
        assert!(head.to_lowercase().contains("content-type: text/plain"), "{head}");
        exposition::parse(body).unwrap()
    }

    fn scrape_until(
        &self,
        is_met: impl Fn(&BTreeMap<String, Family>) -> bool,
    ) -> BTreeMap<String, Family> {
        let start = Instant::now();
        loop {
            let families = self.scrape();
            if is_met(&families) {
                return families;
            }
            assert!(start.elapsed() < TOO_LONG, "{families:#?}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn tasks(families: &BTreeMap<String, Family>) -> f64 {
    families.get("filch_tasks_total").map_or(0.0, |tasks| tasks.value("pool=\"words\""))
}

#[test]
fn what_a_pool_does_can_be_scraped() {
    let server = Server::start();
    // A round is a call and a task for each file.
    let round = (1 + FILES.len()) as f64;
    let has_read = |families: &BTreeMap<String, Family>| {
        families.contains_key("filch_disk_read_bytes_total")
            || families.contains_key("filch_mount_total_bytes")
    };
    let families =
        server.scrape_until(|families| tasks(families) >= 2.0 * round && has_read(families));
    for (name, family) in &families {
        assert!(
            name.starts_with("filch_") && family.help.ends_with('.'),
            "{name}: {}",
            family.help
        );
        let kind = match &**name {
            "filch_queue_wait_seconds"
            | "filch_run_time_seconds"
            | "filch_response_time_seconds"
            | "filch_wake_seconds" => "histogram",
            name if name.ends_with("_total") && !name.ends_with("_seconds_total") => "counter",
            _ => "gauge",
        };
        assert_eq!(family.kind, kind, "{name}");
        assert!(
            family.samples.keys().all(|(_, labels)| labels.starts_with("pool=\"words\"")),
            "{name}"
        );
    }
    assert_eq!(families["filch_memory_total_bytes"].value("pool=\"words\""), memory());
    let timed = |families: &BTreeMap<String, Family>, suffix| {
        families["filch_run_time_seconds"].sample(suffix, "pool=\"words\",label=\"file\"")
    };
    assert!(timed(&families, "_count") >= 1.0 && timed(&families, "_sum") > 0.0);
    let busy = |families: &BTreeMap<String, Family>| {
        let [busy, staffed] = ["busy", "staffed"]
            .map(|time| families[&format!("filch_{time}_seconds_total")].value("pool=\"words\""));
        assert!(busy <= staffed);
        busy
    };
    let later = server.scrape_until(|later| tasks(later) >= tasks(&families) + 2.0 * round);
    assert!(timed(&later, "_count") > timed(&families, "_count"));
    assert!(busy(&families) > 0.0 && busy(&later) > busy(&families));
}

/// Of the machine, as the kernel says.
fn memory() -> f64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find(|line| line.starts_with("MemTotal:")).unwrap();
    1024.0 * line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap()
}

#[test]
fn what_can_not_be_read_ends_it_with_a_message() {
    let prometheus = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_prometheus")).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(prometheus(&[]).contains("usage: prometheus"));
    assert!(prometheus(&["--listen", "nowhere", "x"]).contains("\"nowhere\""));
    assert!(prometheus(&["--listen", "127.0.0.1:0", "none/such"]).contains("none/such: "));
}
