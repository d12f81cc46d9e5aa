//! Times as numbers of seconds in files; for serde's `with`.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::Serializer;
use std::time::Duration;

pub fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    duration(f64::deserialize(deserializer)?)
}

fn duration<E: Error>(seconds: f64) -> Result<Duration, E> {
    // Which is above what a Duration can be, as a number is not as exact.
    if seconds == Duration::MAX.as_secs_f64() {
        return Ok(Duration::MAX);
    }
    Duration::try_from_secs_f64(seconds)
        .map_err(|error| E::custom(format!("{seconds} seconds: {error}")))
}

pub mod optional {
    use super::{Deserialize, Deserializer, Duration, Serializer, duration};

    pub fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.serialize_some(&time.as_secs_f64()),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Option::<f64>::deserialize(deserializer)?.map(duration).transpose()
    }
}
