//! A stranger gets nothing: every route of the table, asked by everybody.
//!
//! The test walks the server's own table: a route without a line in [`expected`] or without a sample request fails it. All callers are on
//! another machine than the one that made things, so that none gets by for its address.

mod callers;
mod expected;
mod samples;

use sleap_rtc_server::{Route, Who, routes};

use crate::rig::TestServer;
use callers::{Caller, Scene};

async fn server() -> TestServer {
    TestServer::with(|config| {
        config.limits.guesses = u32::MAX;
        config.rates.accounts = u32::MAX;
    })
    .await
}

#[tokio::test]
async fn a_stranger_gets_nothing() {
    let server = server().await;
    let mut wrong = Vec::new();
    for route in routes() {
        let expected = expected::of(&route);
        obeys_its_rule(&route, &expected);
        let scene = Scene::new(&server).await;
        let mut answers = [0; Caller::ALL.len()];
        // Who is refused comes first: what comes after shows that they changed nothing.
        for (at, caller) in Caller::ALL.into_iter().enumerate().filter(|(at, _)| expected[*at] >= 400) {
            answers[at] = scene.ask(&server, &route, caller).await;
        }
        for (at, caller) in Caller::ALL.into_iter().enumerate().filter(|(at, _)| expected[*at] < 400) {
            let is_harmless = route.method == "GET" || matches!(route.who, Who::Anybody | Who::Holder);
            let is_first = expected[..at].iter().all(|status| *status >= 400);
            answers[at] = if is_harmless || is_first {
                scene.ask(&server, &route, caller).await
            } else {
                Scene::new(&server).await.ask(&server, &route, caller).await
            };
        }
        if answers != expected {
            wrong.push(format!("(\"{}\", \"{}\") => {answers:?}, expected {expected:?}", route.method, route.path));
        }
    }
    assert!(wrong.is_empty(), "callers are {:?}\n{}", Caller::ALL, wrong.join("\n"));
}

/// That the expectations themselves say what the table does.
fn obeys_its_rule(route: &Route, expected: &[u16]) {
    use Caller::{Bad, Nobody, OfOther, OfOtherOwner, OtherWorker, Removed, Revoked, Stranger};
    let strangers = [Nobody, Bad, Revoked, Stranger, Removed, OfOther, OfOtherOwner, OtherWorker];
    let status = |caller: Caller| expected[caller as usize];
    let refused = |callers: &[Caller]| callers.iter().all(|caller| status(*caller) >= 400);
    let rest = || Caller::ALL.into_iter().filter(|caller| *caller != Caller::Operator).collect::<Vec<_>>();
    let holds = match route.who {
        Who::Anybody | Who::Holder => expected.iter().all(|one| *one == expected[0]),
        Who::SignedIn => refused(&[Nobody, Bad, Revoked]),
        Who::Member => refused(&strangers),
        Who::Owner => refused(&strangers) && refused(&[Caller::Member, Caller::Worker]) && status(Caller::Owner) == 200,
        // Of the identities that came from the caller's own address, each may have its own forgotten.
        Who::Concerned => route.path == "/identities/cleanup" || refused(&strangers),
        Who::Operator => refused(&rest()) && status(Caller::Operator) == 200,
    };
    assert!(holds, "{route:?} does not mean {expected:?}");
}

#[tokio::test]
async fn whoever_does_not_hold_the_secret_is_refused() {
    let server = server().await;
    let scene = Scene::new(&server).await;
    for route in routes().into_iter().filter(|route| route.who == Who::Holder) {
        // One for each: to poll is to ask for a login, which a deposit may then allow.
        for guess in [String::new(), route.path.replace(['/', '{', '}'], "-").repeat(2)] {
            let reply = samples::guess(&route, &guess, &scene).send(&server).await;
            let is_pending = route.path == "/api/auth/cli/poll" && reply.status == 202 && !reply.body.contains("jwt");
            assert!(reply.status >= 400 || is_pending, "{route:?} gave {reply:?}");
        }
    }
}

#[test]
fn every_route_is_there_once() {
    let mut all: Vec<_> = routes().iter().map(|route| (route.path, route.method)).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), routes().len());
    assert!(routes().iter().all(|route| !route.what.is_empty()), "each says what it does");
}
