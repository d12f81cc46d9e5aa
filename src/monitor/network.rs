//! The network interfaces: `/proc/self/net/dev`, and how fast their drivers say they are.

use crate::monitor::file::{SystemFile, lines, next, words};
use crate::monitor::rate::Growth;
use crate::telemetry::history::Key;
use crate::telemetry::machine::Network;
use crate::telemetry::record::Record;
use crate::telemetry::unavailable::{Fact, Unavailable};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub struct NetworkMonitor {
    root: PathBuf,
    dev: SystemFile,
    /// Bytes a second each way, if configured.
    capacity: Option<f64>,
    interfaces: Vec<Interface>,
    /// Of all that there are or have been, so that it doesn't go back when one vanishes: what they had
    /// carried at the first reading, and all since.
    total: Traffic,
    rows: Vec<(Key, Network)>,
    begun: bool,
}

struct Interface {
    key: Key,
    last: Option<Traffic>,
    received: Growth,
    sent: Growth,
    speed: SystemFile,
    capacity: Fact<f64>,
    /// Readings until its driver is asked again how fast it is.
    until_asked: u32,
}

/// An answer may take the driver long, and seldom changes.
const ASK_EVERY: u32 = 30;

#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    received_bytes: u64,
    sent_bytes: u64,
    received_packets: u64,
    sent_packets: u64,
    errors: u64,
    drops: u64,
}

impl NetworkMonitor {
    pub fn new(root: &Path, capacity: Option<f64>) -> Self {
        Self {
            root: root.into(),
            dev: SystemFile::new(root, "/proc/self/net/dev"),
            capacity,
            interfaces: Vec::new(),
            total: Traffic::default(),
            rows: Vec::new(),
            begun: false,
        }
    }

    pub fn read(&mut self, at: Duration) -> Network {
        self.rows.clear();
        let text = match self.dev.read() {
            Ok(text) => text,
            Err(why) => return Network::unavailable(why),
        };
        let mut sum = Sum::default();
        // The first two lines are the head of a table.
        for (key, traffic) in lines(text).skip(2).filter_map(parse) {
            let row = self.rows.len();
            let interface = find(&self.root, &mut self.interfaces, row, key);
            let base = if self.begun { traffic.ok() } else { None };
            let network = interface.update(at, traffic, base, &mut self.total);
            self.rows.push((key, network));
            sum.add(key, &network);
        }
        self.interfaces.truncate(self.rows.len());
        self.begun = true;
        let mut network = self.total.with_rates(sum.received, sum.sent);
        let none = Err(Unavailable::Missing);
        network.set_capacity(self.capacity.map_or(sum.capacity.unwrap_or(none), Ok));
        network
    }

    /// Each interface, at the last reading.
    pub fn interfaces(&self) -> &[(Key, Network)] {
        &self.rows
    }
}

fn is_loopback(key: Key) -> bool {
    key == Key::name(b"lo")
}

/// The interface of this name, put into this row: most often it is there already.
fn find<'i>(
    root: &Path,
    interfaces: &'i mut Vec<Interface>,
    row: usize,
    key: Key,
) -> &'i mut Interface {
    match interfaces.iter().skip(row).position(|interface| interface.key == key) {
        Some(behind) => interfaces.swap(row, row + behind),
        None => interfaces.insert(row, Interface::new(root, key)),
    }
    &mut interfaces[row]
}

impl Interface {
    fn new(root: &Path, key: Key) -> Self {
        let speed = format!("/sys/class/net/{}/speed", key.as_name());
        Self {
            key,
            last: None,
            received: Growth::default(),
            sent: Growth::default(),
            speed: SystemFile::new(root, speed),
            capacity: Err(Unavailable::NotYet),
            until_asked: 0,
        }
    }

    /// `base` is what it had carried when it appeared, which may have been under another name.
    fn update(
        &mut self,
        at: Duration,
        traffic: Fact<Traffic>,
        base: Option<Traffic>,
        total: &mut Traffic,
    ) -> Network {
        let received = self.received.rate(at, traffic.map(|traffic| traffic.received_bytes));
        let sent = self.sent.rate(at, traffic.map(|traffic| traffic.sent_bytes));
        let traffic = match traffic {
            Ok(traffic) => traffic,
            Err(why) => return Network::unavailable(why),
        };
        if !is_loopback(self.key) {
            total.add(&traffic, self.last.or(base).as_ref());
        }
        self.last = Some(traffic);
        if self.until_asked == 0 {
            self.until_asked = ASK_EVERY;
            // In megabits a second; -1 for one that can't tell.
            self.capacity = match self.speed.number() {
                Ok(megabits) if megabits > 0 => Ok(megabits as f64 * 1e6 / 8.0),
                Ok(_) | Err(Unavailable::Garbled) => Err(Unavailable::Missing),
                Err(why) => Err(why),
            };
        }
        self.until_asked -= 1;
        let mut network = traffic.with_rates(received, sent);
        network.set_capacity(self.capacity);
        network
    }
}

impl Network {
    fn set_capacity(&mut self, capacity: Fact<f64>) {
        self.capacity = capacity;
        self.utilisation =
            capacity.and_then(|capacity| Ok(self.receive_rate?.max(self.send_rate?) / capacity));
    }
}

impl Traffic {
    fn with_rates(&self, received: Fact<f64>, sent: Fact<f64>) -> Network {
        Network {
            received_bytes: Ok(self.received_bytes),
            sent_bytes: Ok(self.sent_bytes),
            received_packets: Ok(self.received_packets),
            sent_packets: Ok(self.sent_packets),
            errors: Ok(self.errors),
            drops: Ok(self.drops),
            receive_rate: received,
            send_rate: sent,
            capacity: Err(Unavailable::NotYet),
            utilisation: Err(Unavailable::NotYet),
        }
    }

    /// What has come since then; all of it if the counts began anew.
    fn add(&mut self, now: &Self, then: Option<&Self>) {
        let zero = Self::default();
        let then = then.unwrap_or(&zero);
        let add = |sum: &mut u64, now: u64, then: u64| {
            *sum = sum.saturating_add(now.checked_sub(then).unwrap_or(now));
        };
        add(&mut self.received_bytes, now.received_bytes, then.received_bytes);
        add(&mut self.sent_bytes, now.sent_bytes, then.sent_bytes);
        add(&mut self.received_packets, now.received_packets, then.received_packets);
        add(&mut self.sent_packets, now.sent_packets, then.sent_packets);
        add(&mut self.errors, now.errors, then.errors);
        add(&mut self.drops, now.drops, then.drops);
    }
}

/// Of all interfaces but the loopback.
struct Sum {
    received: Fact<f64>,
    sent: Fact<f64>,
    /// Not there if that of one which carries anything isn't. None of none.
    capacity: Option<Fact<f64>>,
}

impl Default for Sum {
    fn default() -> Self {
        let none = Err(Unavailable::Missing);
        Self { received: none, sent: none, capacity: None }
    }
}

impl Sum {
    fn add(&mut self, key: Key, network: &Network) {
        if is_loopback(key) {
            return;
        }
        // A rate that isn't there adds nothing to those that are.
        let add = |sum: &mut Fact<f64>, rate: Fact<f64>| match (&*sum, rate) {
            (Ok(so_far), Ok(rate)) => *sum = Ok(so_far + rate),
            (Err(_), _) => *sum = rate,
            (Ok(_), Err(_)) => {}
        };
        add(&mut self.received, network.receive_rate);
        add(&mut self.sent, network.send_rate);
        let carries = |bytes: Fact<u64>| bytes.is_ok_and(|bytes| bytes > 0);
        if carries(network.received_bytes) || carries(network.sent_bytes) {
            self.capacity = Some(match self.capacity {
                None => network.capacity,
                Some(sum) => sum.and_then(|sum| Ok(sum + network.capacity?)),
            });
        }
    }
}

/// Of a line `name: bytes packets errs drop fifo frame compressed multicast` and the same again for
/// what was sent.
fn parse(line: &[u8]) -> Option<(Key, Fact<Traffic>)> {
    // A name may hold a colon, a number doesn't.
    let colon = line.iter().rposition(|&byte| byte == b':')?;
    let key = Key::name(line[..colon].trim_ascii());
    let traffic = || {
        let mut counts = [0_u64; 12];
        let mut words = words(&line[colon + 1..]);
        for count in &mut counts {
            *count = next(&mut words)?;
        }
        let [received_bytes, received_packets, receive_errors, receive_drops, ..] = counts;
        let [.., sent_bytes, sent_packets, send_errors, send_drops] = counts;
        Ok(Traffic {
            received_bytes,
            sent_bytes,
            received_packets,
            sent_packets,
            errors: receive_errors.saturating_add(send_errors),
            drops: receive_drops.saturating_add(send_drops),
        })
    };
    Some((key, traffic()))
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use super::{ASK_EVERY, NetworkMonitor, parse};
    use crate::monitor::fixture::Tree;
    use crate::telemetry::machine::Network;
    use crate::telemetry::unavailable::Unavailable;
    use std::time::Duration;

    const DEV: &str = "/proc/self/net/dev";

    fn dev(interfaces: &[(&str, u64)]) -> String {
        let line = |(name, bytes): &(&str, u64)| {
            format!("{name}:{bytes} 1 0 0 0 0 0 0 {bytes} 1 0 0 0 0 0 0\n")
        };
        "head\nhead\n".to_owned() + &interfaces.iter().map(line).collect::<String>()
    }

    /// What is read at each of these, a second apart.
    fn readings(
        monitor: &mut NetworkMonitor,
        tree: &Tree,
        steps: &[&[(&str, u64)]],
    ) -> Vec<Network> {
        let read = |(second, interfaces): (usize, &&[(&str, u64)])| {
            tree.write(DEV, dev(interfaces));
            monitor.read(Duration::from_secs(second as u64))
        };
        steps.iter().enumerate().map(read).collect()
    }

    #[test]
    fn the_sum_goes_on_when_an_interface_comes_goes_or_begins_anew() {
        let tree = Tree::new();
        let mut monitor = NetworkMonitor::new(tree.root(), None);
        let read = readings(
            &mut monitor,
            &tree,
            &[
                &[("lo", 5), ("a", 100)],
                &[("b", 10), ("a", 150), ("lo", 99)],
                &[("b", 30)],
                &[("b", 7)],
                &[("a", 1), ("b", 8)],
            ],
        );
        let totals: Vec<_> = read.iter().map(|network| network.received_bytes.unwrap()).collect();
        assert_eq!(totals, [100, 150, 170, 177, 178]);
        let rates: Vec<_> = read.iter().map(|network| network.receive_rate).collect();
        let (not_yet, back) = (Err(Unavailable::NotYet), Err(Unavailable::WentBack));
        assert_eq!(rates, [not_yet, Ok(50.0), Ok(20.0), back, Ok(1.0)]);
        assert_eq!(monitor.interfaces().len(), 2);
    }

    #[test]
    fn a_configured_capacity_goes_before_what_drivers_say_and_that_is_asked_seldom() {
        let tree = Tree::new().file("/sys/class/net/a/speed", "80\n");
        let steps: &[&[(&str, u64)]] = &[&[("a", 0)], &[("a", 1_000_000)]];
        let mut configured = NetworkMonitor::new(tree.root(), Some(4e6));
        assert_eq!(readings(&mut configured, &tree, steps)[1].utilisation, Ok(0.25));
        let mut asked = NetworkMonitor::new(tree.root(), None);
        assert_eq!(readings(&mut asked, &tree, steps)[1].utilisation, Ok(0.1));
        tree.write("/sys/class/net/a/speed", "8\n");
        let capacities = (2..=u64::from(ASK_EVERY))
            .map(|second| asked.read(Duration::from_secs(second)).capacity);
        let capacities: Vec<_> = capacities.collect();
        assert_eq!(capacities[capacities.len() - 2..], [Ok(1e7), Ok(1e6)]);
    }

    #[test]
    fn one_interface_of_unknown_speed_hides_the_sum_if_it_carries_anything() {
        let tree = Tree::new()
            .file("/sys/class/net/a/speed", "8\n")
            .file("/sys/class/net/b/speed", "-1\n");
        let mut monitor = NetworkMonitor::new(tree.root(), None);
        let read = readings(&mut monitor, &tree, &[&[("a", 1), ("b", 0)], &[("a", 1), ("b", 1)]]);
        assert_eq!(read[0].capacity, Ok(1e6));
        assert_eq!(read[1].capacity, Err(Unavailable::Missing));
    }

    #[test]
    fn names_may_hold_a_colon_and_lines_be_garbled() {
        let line = b"eth0:1:7 1 0 0 0 0 0 0 8 1 0 0 0 0 0 0";
        let (key, traffic) = parse(line).unwrap();
        assert_eq!((key.as_name(), traffic.unwrap().received_bytes), ("eth0:1".to_owned(), 7));
        assert!(parse(b"no colon").is_none());
        assert_eq!(parse(b"a: 1 2 3").unwrap().1.unwrap_err(), Unavailable::Garbled);
        assert_eq!(parse(b"a:").unwrap().1.unwrap_err(), Unavailable::Garbled);
    }
}
