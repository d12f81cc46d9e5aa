//! Places in programs' sources, as numbers, for where an address is of no use. Found without a lock, but for the first time.

use std::panic::Location;
use std::sync::OnceLock;

/// Programs have fewer lines that take a lease. What doesn't get in is unknown.
const MOST: usize = 1024;

static PLACES: [OnceLock<&Location<'static>>; MOST] = [const { OnceLock::new() }; MOST];

/// Its number; [`MOST`] if there are too many.
pub fn number(place: &'static Location<'static>) -> u64 {
    // Places are dozens of bytes large.
    let start = std::ptr::from_ref(place).addr() / size_of::<Location<'_>>();
    let same = |at: &usize| {
        let known = PLACES[*at].get_or_init(|| place);
        std::ptr::eq(*known, place)
    };
    let mut probes = (0..MOST).map(|step| (start + step) % MOST);
    probes.find(same).unwrap_or(MOST) as u64
}

pub fn place(number: u64) -> Option<&'static Location<'static>> {
    PLACES.get(number as usize)?.get().copied()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{MOST, number, place};
    use std::panic::Location;

    #[test]
    fn each_place_has_a_number_of_its_own_and_keeps_it() {
        let (here, there) = (Location::caller(), Location::caller());
        assert_ne!(number(here), number(there));
        assert_eq!((number(here), number(there)), (number(here), number(there)));
        assert_eq!(place(number(here)).map(Location::line), Some(here.line()));
        assert_eq!(place(MOST as u64), None);
    }
}
