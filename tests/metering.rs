//! What goes through a meter, counted at the other end.
#![cfg(all(not(loom), not(miri)))]

mod common;

use common::*;
use filch::{Request, Resource};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Sends so many bytes through a lease by these many tasks, and returns how long that took, as the receiver sees it.
fn send(pool: &Pool, request: &Request, tasks: usize, bytes: usize) -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let receiver = thread::spawn(move || {
        let (mut arrived, start) = (0, Instant::now());
        for _ in 0..tasks {
            let (mut stream, _) = listener.accept().unwrap();
            let mut all = Vec::new();
            arrived += stream.read_to_end(&mut all).unwrap();
        }
        (arrived, start.elapsed())
    });
    pool.install(|| {
        let lease = pool.acquire(request).unwrap();
        filch::scope(|scope| {
            for _ in 0..tasks {
                scope.spawn(|_| {
                    let mut stream = TcpStream::connect(address).unwrap();
                    for _ in 0..bytes / tasks / 10_000 {
                        lease.take(10_000);
                        stream.write_all(&[7; 10_000]).unwrap();
                    }
                });
            }
        });
    });
    let (arrived, time) = receiver.join().unwrap();
    assert_eq!(arrived, bytes);
    time
}

#[test]
fn so_many_bytes_a_second_go_through_whoever_sends_them() {
    let pool = Pool::from(builder(2).budget(Resource::Network, 100_000_000));
    let request = Request::new().network(4_000_000);
    for tasks in [1, 4] {
        let time = send(&pool, &request, tasks, 2_000_000);
        println!("2 MB by {tasks} tasks in {time:.2?}");
        // Half a second's worth, of which a fifth is there at the beginning.
        assert!(time >= Duration::from_millis(390), "{time:?}");
        assert!(time < patient(Duration::from_secs(5)), "{time:?}");
    }
}

#[test]
fn a_lease_of_both_waits_for_the_slower_and_one_of_neither_for_nothing() {
    let pool = Pool::from(builder(2).budget(Resource::Network, 100_000_000));
    let both = Request::new().network(50_000_000).io(1_000_000);
    let time = send(&pool, &both, 2, 300_000);
    assert!(time >= Duration::from_millis(190), "{time:?}");
    let neither = pool.acquire(&Request::new().memory(1)).unwrap();
    let start = Instant::now();
    neither.take(u64::MAX);
    assert!(start.elapsed() < patient(Duration::from_secs(5)));
}

#[test]
fn who_waits_for_a_meter_holds_no_worker() {
    let pool = Pool::from(builder(1).budget(Resource::Network, 100_000_000));
    let lease = pool.acquire(&Request::new().network(1_000)).unwrap();
    let slow = pool.spawn_handle(move || lease.take(600));
    // The only worker has it, for half a second.
    let start = Instant::now();
    pool.install(|| ());
    assert!(!slow.is_finished() || start.elapsed() > Duration::from_millis(400));
    slow.join().unwrap();
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "nobody grants more there")]
fn nothing_goes_through_while_nothing_is_granted() {
    let pool = Pool::from(builder(2).budget(Resource::Network, 1_000_000));
    let all = pool.acquire(&Request::new().network(1_000_000)).unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let request = Request::new().memory(1).up_to(Resource::Network, 1_000_000);
            let lease = pool.acquire(&request).unwrap();
            let start = Instant::now();
            lease.take(1_000);
            start.elapsed()
        });
        thread::sleep(Duration::from_millis(200));
        assert!(!waits.is_finished());
        drop(all);
        assert!(waits.join().unwrap() >= Duration::from_millis(50));
    });
}
