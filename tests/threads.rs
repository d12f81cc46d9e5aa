//! Ended pools leave no thread behind. Alone in its binary: it counts all its threads.

mod common;

use common::*;

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn a_thousand_pools_leave_no_thread() {
    let _dog = Dog::alone();
    let before = threads();
    for round in 0..1000 {
        let pool = builder(1 + round % 4).build().unwrap();
        match round % 5 {
            0 => {}
            1 => pool.spawn(|| filch::spawn(|| ())),
            2 => assert_eq!(pool.install(|| fib(5)), 5),
            3 => pool.shutdown().unwrap(),
            _ => {
                pool.detach();
                continue;
            }
        }
    }
    // The kernel may take a moment to forget a thread that has been joined.
    wait_until(|| threads() == before);

    // No worker is left that could end these.
    on_new_thread(|| builder(1).use_current_thread().build().unwrap().detach());
    on_new_thread(|| {
        let pool = builder(1).use_current_thread().build().unwrap();
        // Done by a spare, whom the guest's leaving calls.
        pool.spawn(|| ());
        pool.detach();
    });
    on_new_thread(|| {
        let pool = builder(1).use_current_thread().build().unwrap();
        on_new_thread(|| drop(pool));
    });
    wait_until(|| threads() == before);

    builder(64).build().unwrap().install(|| assert!(threads() >= before + 64));
    wait_until(|| threads() == before);

    let failing = |worker: filch::ThreadBuilder| {
        if worker.index() == 10 {
            return Err(std::io::Error::other("enough"));
        }
        std::thread::spawn(|| worker.run());
        Ok(())
    };
    assert!(builder(20).spawn_handler(failing).build().is_err());
    wait_until(|| threads() == before);
}
