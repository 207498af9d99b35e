//! One run on several machines: each measures a shard, and [`merge`] puts them
//! together again.
//!
//! A shard writes a [`Share`]: what it measured, and the outline of the whole,
//! in which each test says which shard it belongs to. So any one share tells
//! what the others owe, and a shard that died leaves tests that are missing,
//! not a run with fewer tests.

mod cut;
mod merge;
mod share;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use cut::{Cut, cut, keep};
pub use merge::{Merged, merge};
pub use share::{Results, Share, outline};

/// One of several shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct Shard {
    /// Its number, from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

/// More machines than anybody has.
const MOST: u32 = 1000;

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// A shard as somebody wrote it into a file.
#[derive(Deserialize)]
struct Written {
    number: u32,
    of: u32,
}

impl TryFrom<Written> for Shard {
    type Error = String;

    fn try_from(Written { number, of }: Written) -> Result<Self, String> {
        match 1 <= number && number <= of && of <= MOST {
            true => Ok(Shard { number, of }),
            false => {
                Err(format!("there is no shard {number} of {of}: K from 1 to N, N up to {MOST}"))
            }
        }
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts =
            text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        parts
            .and_then(|(number, of)| Written { number, of }.try_into().ok())
            .ok_or_else(|| format!("write it as K/N, such as 2/4: K from 1 to N, N up to {MOST}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_one_of_those_that_there_are() {
        assert_eq!("2/4".parse(), Ok(Shard { number: 2, of: 4 }));
        assert_eq!("4/4".parse::<Shard>().unwrap().to_string(), "4/4");
        let read = |text: &str| serde_json::from_str::<Shard>(text);
        assert_eq!(read(r#"{"number":2,"of":4}"#).unwrap(), Shard { number: 2, of: 4 });
        for (number, of) in [(0, 2), (7, 2), (1, 0), (1, 1001), (1, u32::MAX)] {
            let e = read(&format!(r#"{{"number":{number},"of":{of}}}"#)).unwrap_err().to_string();
            assert!(e.contains(&format!("there is no shard {number} of {of}")), "{e}");
        }
        for wrong in ["0/4", "5/4", "1/0", "1", "/", "1/2/3", "a/b", "-1/2", "1/1001"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }
}
