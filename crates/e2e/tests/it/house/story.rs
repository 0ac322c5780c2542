//! The events of one training, as a program that reads `--json` sees them.

use serde_json::Value;

/// The events, in order.
pub(crate) struct Story(pub(crate) Vec<Value>);

impl Story {
    /// The names of the events in order, each run of the same one once, without those that may come at any time.
    pub(crate) fn steps(&self) -> Vec<String> {
        let any_time = ["log", "warning", "batch", "plan", "waiting"];
        let mut steps: Vec<String> = Vec::new();
        for event in &self.0 {
            let name = event["event"].as_str().unwrap_or("?");
            if any_time.contains(&name) {
                continue;
            }
            let step = match event["phase"].as_str() {
                Some(phase) => format!("phase {phase}"),
                None => name.to_owned(),
            };
            if steps.last() != Some(&step) {
                steps.push(step);
            }
        }
        steps
    }

    /// Whether these steps come in this order, with anything between.
    pub(crate) fn has(&self, wanted: &[&str]) {
        let steps = self.steps();
        let mut left = wanted.iter();
        let mut next = left.next();
        for step in &steps {
            if next.is_some_and(|next| next == step) {
                next = left.next();
            }
        }
        assert!(next.is_none(), "{next:?} is missing or out of order in {steps:#?}");
    }

    /// The events with this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&Value> {
        self.0.iter().filter(|event| event["event"] == name).collect()
    }

    /// The last event with this name.
    pub(crate) fn last(&self, name: &str) -> &Value {
        self.all(name).pop().unwrap_or_else(|| panic!("no event {name} in {:#?}", self.steps()))
    }

    /// The job's id.
    pub(crate) fn job(&self) -> String {
        self.last("finding")["job_id"].as_str().expect("an id").to_owned()
    }
}
