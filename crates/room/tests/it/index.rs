//! What is found by index is what a look at every peer finds, whatever they say, claim and ask.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sleap_rtc_wire::claim::{Claim, ClaimGranted, HeldClaim, HeldState};
use sleap_rtc_wire::filter::Rank;
use sleap_rtc_wire::signal::Register;
use sleap_rtc_wire::{CLAIMS, ClaimId, ConnId, Filters, FromPeer, JobId, Metadata, Time, ToPeer, limits};

use crate::desk::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_index_finds_what_a_look_at_everybody_finds(steps in vec(step(), 1..100)) {
        let mut lab = Lab::new();
        for step in steps {
            lab.take(step);
        }
        // Whoever goes is in the index no more.
        for n in 0..PEERS {
            lab.take(Step::Leave(n));
        }
        lab.take(Step::Discover(filters(json!({"role": "worker"}))));
    }
}

/// Each operator with each value, on a worker for each value.
#[test]
fn every_operator_finds_the_same_of_every_value_by_index() {
    let mut lab = Lab::new();
    let told = |value: &Value| Metadata::from(json!({"properties": {"gpu": value, "status": "available"}}));
    for (n, value) in (0..).zip(odd()) {
        lab.take(Step::Enter(n, "worker", true, told(&value)));
    }
    for operator in ["$gt", "$gte", "$lt", "$lte", "$eq", "$ne", "$in", "$nin", "$all", "$exists"] {
        for operand in odd() {
            lab.take(Step::Discover(filters(json!({"gpu": {operator: operand}}))));
            lab.take(Step::Discover(filters(json!({"gpu": {operator: operand, "$lte": 1, "$gt": -2}}))));
            lab.take(Step::Discover(filters(
                json!({"gpu": {operator: operand, "$lt": "NVIDIA RTX A6000", "$gte": "NVIDIA R"}}),
            )));
        }
        for two in odd().windows(2) {
            let filter = Filters::parse(json!({"gpu": {operator: two}}));
            if let Ok(filter) = filter {
                lab.take(Step::Discover(filter));
            }
        }
    }
    for value in odd() {
        lab.take(Step::Discover(filters(json!({"gpu": value}))));
    }
}

const PEERS: u64 = 12;
const NAMES: [&str; 5] = ["status", "gpu", "n", "current_job_id", "job_start_time"];

#[derive(Clone, Debug)]
enum Step {
    Enter(u64, &'static str, bool, Metadata),
    Leave(u64),
    /// Registers again, with the claim that it holds.
    Return(u64),
    Update(u64, Metadata),
    Claim(Filters),
    Use(u64),
    Free(u64),
    Release(u64),
    Discover(Filters),
}

fn step() -> impl Strategy<Value = Step> {
    let n = || 0..PEERS;
    let role = prop_oneof![5 => Just("worker"), 1 => Just("client"), 1 => Just("peer")];
    prop_oneof![
        4 => (n(), role, prop::bool::weighted(0.8), told()).prop_map(|(n, role, claims, told)| Step::Enter(n, role, claims, told)),
        1 => n().prop_map(Step::Leave),
        1 => n().prop_map(Step::Return),
        4 => (n(), told()).prop_map(|(n, told)| Step::Update(n, told)),
        4 => filter().prop_map(Step::Claim),
        2 => n().prop_map(Step::Use),
        1 => n().prop_map(Step::Free),
        1 => n().prop_map(Step::Release),
        8 => filter().prop_map(Step::Discover),
    ]
}

/// Values that are equal in one way and not in another, that lie beside each other, or that nothing can be compared with.
fn odd() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(-0.0),
        json!(1),
        json!(1.0),
        json!(-1.5),
        json!(9_007_199_254_740_992_u64),
        json!(9_007_199_254_740_993_u64),
        json!(9_007_199_254_740_992.0),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e300),
        json!(5e-324),
        json!(""),
        json!("1"),
        json!("null"),
        json!("NVIDIA RTX A5000"),
        json!("NVIDIA RTX A6000"),
        json!("NVIDIA R"),
        json!("NVIDIA R\u{0}"),
        json!("\u{1F98B}"),
        json!([]),
        json!({}),
        json!([1]),
        json!([true]),
        json!([1.0, "x"]),
        json!(["x", 1]),
        json!({"a": 1, "b": [null]}),
        json!({"b": [null], "a": true}),
    ]
}

/// Mostly one of a few, so that peers and filters meet.
fn value() -> impl Strategy<Value = Value> {
    let few = vec![
        json!("available"),
        json!("reserved"),
        json!("busy"),
        json!(1),
        json!(true),
        json!(24_000),
        json!("NVIDIA RTX A5000"),
    ];
    prop_oneof![
        6 => prop::sample::select(few),
        3 => prop::sample::select(odd()),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
    ]
}

fn properties(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    vec((prop::sample::select(NAMES.to_vec()), value), 0..4)
        .prop_map(|list| Value::Object(list.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()))
}

fn tags() -> impl Strategy<Value = Value> {
    let tag = prop_oneof![Just(json!("a")), Just(json!("b")), Just(json!("c")), Just(json!(1))];
    prop_oneof![8 => vec(tag, 0..4).prop_map(Value::from), 1 => Just(json!("a"))]
}

/// Mostly of somebody who is free; now and then of a form that is none.
fn told() -> impl Strategy<Value = Metadata> {
    let well = (tags(), properties(value()), prop::bool::weighted(0.7)).prop_map(|(tags, mut properties, free)| {
        if free {
            properties["status"] = json!("available");
        }
        json!({"tags": tags, "properties": properties})
    });
    prop_oneof![9 => well, 1 => value().prop_map(|value| json!({"tags": value, "properties": value, "x": value}))]
        .prop_map(Metadata::from)
}

fn filter() -> impl Strategy<Value = Filters> {
    let operator =
        prop::sample::select(vec!["$gt", "$gte", "$lt", "$lte", "$eq", "$ne", "$in", "$nin", "$all", "$exists", "$?"]);
    let condition = (operator, value(), vec(value(), 0..3)).prop_map(|(operator, value, list)| {
        let takes_list = matches!(operator, "$in" | "$nin" | "$all") && !list.is_empty();
        (operator.to_owned(), if takes_list { Value::from(list) } else { value })
    });
    let term = prop_oneof![
        value(),
        vec(condition, 0..3).prop_map(|all| Value::Object(all.into_iter().collect::<Map<_, _>>())),
    ];
    let role = prop_oneof![4 => Just(json!("worker")), 1 => Just(json!("client")), 1 => Just(json!(7))];
    let sort = prop::sample::select(vec!["n", "-n", "gpu", "-status", "nobody"]);
    (of(role), prop::option::weighted(0.3, tags()), properties(term), prop::option::weighted(0.3, 0..4_u64), of(sort))
        .prop_filter_map("too deep", |(role, tags, properties, limit, sort)| {
            let all = json!({"role": role, "tags": tags, "properties": properties, "limit": limit, "sort": sort});
            let given = all.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
            Filters::parse(Value::Object(given.map(|(key, value)| (key.clone(), value.clone())).collect())).ok()
        })
}

/// A peer as the rules see it.
struct Here {
    n: u64,
    role: &'static str,
    claims: bool,
    own: Metadata,
    last_granted: u64,
    claim: Option<ClaimGranted>,
    used_at: Option<Time>,
}

impl Here {
    fn name(&self) -> String {
        name(self.n)
    }

    fn claim_id(&self) -> Option<ClaimId> {
        self.claim.as_ref().map(|grant| grant.claim_id.clone())
    }

    /// Its metadata as everybody must see it.
    fn shown(&self) -> Metadata {
        let mut shown = self.own.clone();
        if let Some(grant) = &self.claim {
            shown.set_property("status", json!("reserved"));
            if let Some(at) = self.used_at {
                shown.set_property("status", json!("busy"));
                shown.set_property("current_job_id", json!(grant.job_id));
                shown.set_property("job_start_time", json!(at.0 as f64 / 1000.0));
            }
        }
        shown
    }

    fn is_free(&self) -> bool {
        self.role == "worker" && self.claim.is_none() && self.own.property("status") == Some(&json!("available"))
    }

    fn can_be_claimed(&self, filters: &Filters) -> bool {
        let available = json!("available");
        self.role == "worker"
            && self.claims
            && filters.matches_with(self.role, &self.own, |name| (name == "status").then_some(&available))
    }

    fn end_claim(&mut self) {
        (self.claim, self.used_at) = (None, None);
        if matches!(self.own.property("status").and_then(Value::as_str), Some("reserved" | "busy")) {
            self.own.set_property("status", json!("available"));
        }
    }
}

/// A room, and the same peers in the order of joining, to be looked at one by one.
struct Lab {
    desk: Desk,
    ana: ConnId,
    here: Vec<Here>,
    claims: u64,
}

fn name(n: u64) -> String {
    format!("p{n}")
}

impl Lab {
    fn new() -> Self {
        let mut desk = Desk::new();
        let ana = desk.client("ana", 1);
        Self { desk, ana, here: Vec::new(), claims: 0 }
    }

    fn find(&mut self, n: u64) -> Option<&mut Here> {
        self.here.iter_mut().find(|here| here.n == n)
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Enter(n, role, claims, told) => self.enter(n, role, claims, told),
            Step::Leave(n) => {
                self.here.retain(|here| here.n != n);
                self.desk.go(closes(conn(100 + n)));
            }
            Step::Return(n) => self.come_back(n),
            Step::Update(n, told) => {
                let Some(here) = self.find(n) else { return };
                here.own.merge(told.clone());
                let update = sleap_rtc_wire::signal::UpdateMetadata { metadata: told, ..update(&name(n), json!({})) };
                self.desk.go(says(conn(100 + n), FromPeer::UpdateMetadata(update)));
            }
            Step::Claim(filters) => self.claim(&filters),
            Step::Use(n) => {
                let now = self.desk.now;
                let Some(here) = self.find(n).filter(|here| here.used_at.is_none()) else { return };
                let Some(claim) = here.claim_id() else { return };
                here.used_at = Some(now);
                self.desk.go(uses(conn(100 + n), &claim));
            }
            Step::Free(n) => {
                let Some(here) = self.find(n) else { return };
                let Some(claim) = here.claim_id() else { return };
                here.end_claim();
                self.desk.go(frees(conn(100 + n), &claim));
            }
            Step::Release(n) => {
                let Some(here) = self.find(n).filter(|here| here.used_at.is_none()) else { return };
                let Some(claim) = here.claim_id() else { return };
                here.end_claim();
                self.desk.go(releases(self.ana, &claim));
            }
            Step::Discover(filters) => self.discover(&filters),
        }
    }

    fn enter(&mut self, n: u64, role: &'static str, claims: bool, own: Metadata) {
        self.here.retain(|here| here.n != n);
        let features = if claims { vec![CLAIMS.to_owned()] } else { Vec::new() };
        let register = Register { features, metadata: own.clone(), ..plain(&name(n), role, json!({})) };
        self.desk.enter(conn(100 + n), &name(n), register);
        self.here.push(Here { n, role, claims, own, last_granted: 0, claim: None, used_at: None });
    }

    fn come_back(&mut self, n: u64) {
        let Some(at) = self.here.iter().position(|here| here.n == n) else { return };
        let mut here = self.here.remove(at);
        let state = if here.used_at.is_some() { HeldState::Used } else { HeldState::Leased };
        let held = here.claim.clone().map(|grant| HeldClaim { grant, state, used_at: here.used_at });
        let features = if here.claims { vec![CLAIMS.to_owned()] } else { Vec::new() };
        let register = Register {
            features,
            metadata: here.own.clone(),
            claims: held.into_iter().collect(),
            ..plain(&name(n), here.role, json!({}))
        };
        self.desk.enter(conn(100 + n), &name(n), register);
        here.last_granted = 0;
        self.here.push(here);
    }

    fn discover(&mut self, filters: &Filters) {
        let mut expected: Vec<&Here> =
            self.here.iter().filter(|here| filters.matches(here.role, &here.shown())).collect();
        if let Some(property) = filters.sort() {
            expected.sort_by(|a, b| {
                let (a, b) = (a.shown(), b.shown());
                let rank = |of: &'_ Metadata| of.property(property).cloned();
                let (a, b) = (rank(&a), rank(&b));
                filters.order(a.as_ref().and_then(Rank::of), b.as_ref().and_then(Rank::of))
            });
        } else if filters.role() == Some("worker") {
            expected.sort_by_key(|here| !here.is_free());
        }
        let expected: Vec<(String, Metadata)> = expected
            .into_iter()
            .take(filters.limit().unwrap_or(usize::MAX))
            .map(|here| (here.name(), here.shown()))
            .collect();
        let found = self.desk.list(self.ana, "ana", Value::from(filters.clone())).into_iter();
        // The asker's own role is `client`, so that others of it may be found.
        let found: Vec<(String, Metadata)> = found.map(|entry| (entry.peer_id.to_string(), entry.metadata)).collect();
        assert_eq!(found, expected, "{filters:?}");
    }

    fn claim(&mut self, filters: &Filters) {
        if self.here.iter().filter(|here| here.claim.is_some()).count() >= limits::OPEN_CLAIMS {
            return;
        }
        self.claims += 1;
        let job = JobId::new(&format!("job-{}", self.claims)).unwrap();
        let claim = Claim { filters: filters.clone(), job_id: job, ..claim(&format!("r{}", self.claims)) };
        let matching = self.here.iter().filter(|here| here.can_be_claimed(filters)).count();
        let free = self.here.iter_mut().filter(|here| here.can_be_claimed(filters) && here.is_free());
        let expected = free.min_by_key(|here| here.last_granted);
        let frames = self.desk.go(says(self.ana, FromPeer::Claim(claim)));
        let granted = frames.iter().find_map(|(_, frame)| match frame {
            ToPeer::ClaimGranted(grant) => Some(grant.clone()),
            _ => None,
        });
        let answer = frames.into_iter().find(|(conn, _)| *conn == self.ana).map(|(_, frame)| frame);
        match (answer, expected) {
            (Some(ToPeer::Claimed(claimed)), Some(here)) => {
                assert_eq!(claimed.worker, peer(&here.name()));
                here.last_granted = claimed.fence.counter;
                here.claim = granted;
            }
            (Some(ToPeer::ClaimRefused(refused)), None) => {
                assert_eq!(refused.workers.matching as usize, matching, "{filters:?}");
            }
            (answer, expected) => panic!("{answer:?} and not {:?} for {filters:?}", expected.map(|here| here.name())),
        }
    }
}
