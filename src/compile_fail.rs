//! Programs that must not compile, as documentation tests.

/// What runs on another thread must be `Send`.
///
/// ```compile_fail,E0277
/// let local = std::rc::Rc::new(1);
/// filch::join(|| (), || drop(local));
/// ```
///
/// ```compile_fail,E0277
/// let (_, _) = filch::join(|| (), || std::rc::Rc::new(1));
/// ```
///
/// ```compile_fail,E0277
/// let local = std::rc::Rc::new(1);
/// filch::spawn(|| drop(local));
/// ```
///
/// ```compile_fail,E0277
/// let local = std::cell::Cell::new(1);
/// filch::scope(|scope| scope.spawn(|_| local.set(2)));
/// ```
///
/// ```compile_fail,E0277
/// let task = filch::spawn_handle(|| std::rc::Rc::new(1));
/// ```
pub struct Send;

/// What another thread changes nobody else may touch.
///
/// ```compile_fail,E0499
/// let mut items = [1, 2];
/// filch::join(|| items[0] = 3, || items[1] = 4);
/// ```
///
/// ```compile_fail,E0502
/// let mut sum = 0;
/// filch::scope(|scope| {
///     scope.spawn(|_| sum += 1);
///     println!("{sum}");
/// });
/// ```
pub struct Races;

/// What a task borrows must outlive whoever waits for it.
///
/// ```compile_fail,E0373
/// let local = 1;
/// filch::spawn(|| println!("{local}"));
/// ```
///
/// ```compile_fail,E0597
/// filch::scope(|scope| {
///     let local = 1;
///     let borrowed = &local;
///     scope.spawn(move |_| println!("{borrowed}"));
/// });
/// ```
///
/// ```compile_fail,E0373
/// let pool = filch::ThreadPoolBuilder::new().build().unwrap();
/// let local = 1;
/// let task = pool.spawn_handle(|| local + 1);
/// ```
pub struct Lifetimes;
