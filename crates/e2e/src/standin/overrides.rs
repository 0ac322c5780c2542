//! Hydra's override grammar, as far as the trainer's callers use it, with its refusals.

use sleap_rtc_worker::trainer::config::KEYS;
use sleap_rtc_worker::trainer::yaml::Value;

use super::PythonError;

/// Applies `++key=value` (and `key=value` for a key that is there) to a configuration.
pub(super) fn apply(config: &mut Value, text: &str) -> Result<(), PythonError> {
    let (key, value) = text.split_once('=').ok_or_else(|| parse_error(text))?;
    let value = parse(value).ok_or_else(|| parse_error(text))?;
    let forced = key.strip_prefix("++");
    let key = forced.unwrap_or(key);
    if forced.is_none() && config.get(key).is_none() {
        return Err(PythonError(format!(
            "hydra.errors.ConfigCompositionException: Could not override '{key}'.\nTo append to your config use +{text}"
        )));
    }
    known(key)?;
    set(config, key, value);
    Ok(())
}

fn parse_error(text: &str) -> PythonError {
    PythonError(format!("hydra.errors.OverrideParseException: Error parsing override '{text}'"))
}

/// Every key of the configuration, and every override's, must be one of the trainer's classes.
pub(super) fn known(key: &str) -> Result<(), PythonError> {
    let rules: Vec<(&str, &str)> = KEYS.lines().filter_map(|line| line.split_once(' ')).collect();
    let rule = |key: &str| rules.iter().find(|(_, known)| known.trim() == key).map(|(rule, _)| *rule);
    // Below a rule other than `section` the table lists nothing.
    let below = |key: &str| {
        let parents = key.match_indices('.').map(|(at, _)| &key[..at]);
        parents.filter_map(rule).any(|rule| rule != "section")
    };
    if rule(key).is_some() || below(key) {
        return Ok(());
    }
    let (parent, last) = key.rsplit_once('.').unwrap_or(("TrainingJobConfig", key));
    Err(PythonError(format!("omegaconf.errors.ConfigKeyError: Key '{last}' not in '{parent}'")))
}

/// Puts the value where the key says, with maps on the way.
pub(super) fn set(config: &mut Value, key: &str, value: Value) {
    if !matches!(config, Value::Map(_)) {
        *config = Value::Map(Vec::new());
    }
    let Value::Map(entries) = config else { return };
    let (name, rest) = key.split_once('.').map_or((key, None), |(name, rest)| (name, Some(rest)));
    let at = entries.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
        entries.push((name.to_owned(), Value::Null));
        entries.len() - 1
    });
    match rest {
        Some(rest) => set(&mut entries[at].1, rest, value),
        None => entries[at].1 = value,
    }
}

fn parse(text: &str) -> Option<Value> {
    let (value, rest) = value(text)?;
    rest.is_empty().then_some(value)
}

fn value(text: &str) -> Option<(Value, &str)> {
    if let Some(rest) = text.strip_prefix('"') {
        return quoted(rest);
    }
    if let Some(rest) = text.strip_prefix('[') {
        return list(rest);
    }
    let end = text.find([',', ']']).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    // Outside quotes these have a meaning of their own or none.
    if word.contains(['=', '(', ')', '{', '}', '~', '"', '\'', ' ']) || !word.is_ascii() {
        return None;
    }
    let value = match word {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match (word.parse(), word.parse()) {
            (Ok(int), _) => Value::Int(int),
            (_, Ok(float)) => Value::Float(float),
            _ => Value::Text(word.to_owned()),
        },
    };
    Some((value, rest))
}

/// After the opening quote.
fn quoted(text: &str) -> Option<(Value, &str)> {
    let mut content = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if content.contains("${") => return None,
            '"' => return Some((Value::Text(content), &text[at + 1..])),
            '\\' => content.push(chars.next()?.1),
            c => content.push(c),
        }
    }
    None
}

/// After the opening bracket.
fn list(mut text: &str) -> Option<(Value, &str)> {
    let mut items = Vec::new();
    if let Some(rest) = text.strip_prefix(']') {
        return Some((Value::List(items), rest));
    }
    loop {
        let (item, rest) = value(text)?;
        items.push(item);
        match (rest.strip_prefix(','), rest.strip_prefix(']')) {
            (Some(rest), _) => text = rest,
            (_, Some(rest)) => return Some((Value::List(items), rest)),
            _ => return None,
        }
    }
}
