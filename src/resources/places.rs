//! Places in programs' sources, as numbers, for where an address is of no use. Found without a lock, but for the first time.

use std::panic::Location;
use std::sync::OnceLock;

/// Of those that take a lease programs have fewer. What doesn't get in is unknown.
static PLACES: Places<1024> = Places([const { OnceLock::new() }; 1024]);

/// Its number; one that no place has if there are too many.
pub fn number(place: &'static Location<'static>) -> u64 {
    PLACES.number(place)
}

pub fn place(number: u64) -> Option<&'static Location<'static>> {
    PLACES.place(number)
}

struct Places<const MOST: usize>([OnceLock<&'static Location<'static>>; MOST]);

impl<const MOST: usize> Places<MOST> {
    fn number(&self, place: &'static Location<'static>) -> u64 {
        // Places are dozens of bytes large.
        let start = std::ptr::from_ref(place).addr() / size_of::<Location<'_>>();
        let same = |at: &usize| std::ptr::eq(*self.0[*at].get_or_init(|| place), place);
        let mut probes = (0..MOST).map(|step| (start + step) % MOST);
        probes.find(same).unwrap_or(MOST) as u64
    }

    fn place(&self, number: u64) -> Option<&'static Location<'static>> {
        self.0.get(number as usize)?.get().copied()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Places;
    use std::panic::Location;
    use std::sync::OnceLock;

    #[test]
    fn each_place_has_a_number_of_its_own_until_there_are_too_many() {
        let places = Places([const { OnceLock::new() }; 6]);
        let one = [Location::caller(), Location::caller(), Location::caller(), Location::caller()];
        let two = [Location::caller(), Location::caller(), Location::caller(), Location::caller()];
        let all = [one, two].concat();
        let numbers: Vec<_> = all.iter().map(|place| places.number(place)).collect();
        for (place, &number) in all.iter().zip(&numbers[..6]) {
            assert!(places.place(number).is_some_and(|known| std::ptr::eq(known, *place)));
            assert_eq!(places.number(place), number);
        }
        assert_eq!(numbers[6..], [6, 6]);
        assert_eq!(places.place(6), None);
    }
}
