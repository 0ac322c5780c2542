//! How many days something is good, as the deployed server's programs ask for it.

use serde_json::Value;

const DAY_MS: u64 = 86_400_000;

/// How many days something may be good: what it is if nothing is said, and the most.
#[derive(Clone, Copy, Debug)]
pub struct Days {
    /// If nothing is said.
    pub default: u64,
    /// At most.
    pub most: u64,
}

/// A worker's token.
pub const TOKEN_DAYS: Days = Days { default: 7, most: 3650 };
/// A room of the account pages.
pub const ROOM_DAYS: Days = Days { default: 30, most: 365 };

/// What is no number of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DaysError {
    /// Not a whole number.
    #[error("Input should be a valid integer")]
    NotANumber,
    /// Less than one.
    #[error("Input should be greater than or equal to 1")]
    TooFew,
    /// Too many.
    #[error("Input should be less than or equal to {0}")]
    TooMany(u64),
}

impl DaysError {
    /// The `type` of such an error in the deployed server's answers.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::NotANumber => "int_type",
            Self::TooFew => "greater_than_equal",
            Self::TooMany(_) => "less_than_equal",
        }
    }
}

impl Days {
    /// How long something is good, ms; `Ok(None)`: for ever. `asked` is the field as it was given, `None` if it was not.
    pub fn ms(self, asked: Option<&Value>) -> Result<Option<u64>, DaysError> {
        let days = match asked {
            None => self.default,
            Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) if number.is_u64() => number.as_u64().unwrap_or_default(),
            Some(Value::Number(number)) if number.is_i64() => 0,
            Some(_) => return Err(DaysError::NotANumber),
        };
        match days {
            0 => Err(DaysError::TooFew),
            days if days > self.most => Err(DaysError::TooMany(self.most)),
            days => Ok(Some(days * DAY_MS)),
        }
    }
}
