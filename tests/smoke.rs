fn fib(n: u32) -> u64 {
    if n < 2 {
        return n as u64;
    }
    let (a, b) = filch::join(|| fib(n - 1), || fib(n - 2));
    a + b
}
#[test]
fn smoke() {
    for n in [1, 2, 4, 16] {
        let pool = filch::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        let t = std::time::Instant::now();
        assert_eq!(pool.install(|| fib(27)), 196418);
        eprintln!("{n}: {:?} {:?}", t.elapsed(), pool.counters());
        let mut v = vec![0; 1000];
        pool.scope(|s| {
            for x in &mut v {
                s.spawn(move |_| *x += 1)
            }
        });
        assert!(v.iter().all(|x| *x == 1));
        assert_eq!(pool.broadcast(|c| c.index()).len(), n);
        let h = pool.spawn_handle(|| 3);
        assert_eq!(h.join().unwrap(), 3);
        eprintln!("{n}: {:?}", pool.counters());
        pool.shutdown().unwrap();
    }
}
