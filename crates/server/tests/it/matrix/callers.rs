use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use sleap_rtc_server::Route;

use super::samples;
use crate::rig::{Account, Installation, Socket, TestServer, text, worker_by};

/// Who calls. In the order of the columns of [`super::expected`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// Without a credential.
    Nobody,
    /// With one that was never good.
    Bad,
    /// With a key of the owner's that was revoked.
    Revoked,
    /// An account that is in no room.
    Stranger,
    /// An account that was a member, and was removed.
    Removed,
    /// A member of another room.
    OfOther,
    /// The owner of another room.
    OfOtherOwner,
    /// A worker of another room, by its token.
    OtherWorker,
    /// A member of the room.
    Member,
    /// A worker of the room, by its token.
    Worker,
    /// The owner of the room.
    Owner,
    /// By the secret in the data folder.
    Operator,
}

impl Caller {
    pub(super) const ALL: [Self; 12] = [
        Self::Nobody,
        Self::Bad,
        Self::Revoked,
        Self::Stranger,
        Self::Removed,
        Self::OfOther,
        Self::OfOtherOwner,
        Self::OtherWorker,
        Self::Member,
        Self::Worker,
        Self::Owner,
        Self::Operator,
    ];
}

/// A room with everything that can be asked for, and another one like it.
pub(super) struct Scene {
    pub(super) owner: Account,
    pub(super) member: Account,
    stranger: Account,
    removed: Account,
    other_owner: Account,
    other_member: Account,
    pub(super) room: String,
    pub(super) revoked_key: String,
    /// A token for workers: the secret, and its public name.
    pub(super) token: (String, String),
    /// One that was revoked.
    pub(super) old_token: String,
    other_token: (String, String),
    /// A key of the owner's.
    pub(super) key: String,
    /// The name of the owner's computer's key.
    pub(super) public_key: String,
    /// A job that the worker has.
    job: Mutex<String>,
    pub(super) operator: String,
    _workers: [Socket; 2],
}

impl Scene {
    pub(super) async fn new(server: &TestServer) -> Self {
        static SCENES: AtomicU32 = AtomicU32::new(0);
        let n = SCENES.fetch_add(1, Ordering::Relaxed);
        let account = async |name: &str| Account::new(server, &format!("{name}{n}")).await;
        let (owner, member, stranger) = (account("ana").await, account("ben").await, account("cleo").await);
        let (removed, other_owner, other_member) = (account("dan").await, account("eve").await, account("fay").await);
        let (room, other) = (owner.room(server, "lab").await, other_owner.room(server, "lab").await);
        for one in [&member, &removed] {
            one.joins(server, &room, &owner).await;
        }
        other_member.joins(server, &other, &other_owner).await;
        owner.delete(server, &format!("/api/auth/rooms/{room}/members/{}", removed.id)).await;
        let revoked_key = owner.key(server).await;
        assert_eq!(owner.delete(server, &format!("/api/auth/account-keys/{revoked_key}")).await.status, 200);
        let token = owner.worker_token(server, &room, "gpu1").await;
        let old_token = owner.worker_token(server, &room, "gpu0").await.1;
        assert_eq!(owner.delete(server, &format!("/api/auth/token/{old_token}")).await.status, 200);
        let other_token = other_owner.worker_token(server, &other, "gpu1").await;
        let id = format!("gpu{n}");
        let workers = [worker_by(server, &token.0, &id).await, worker_by(server, &other_token.0, &id).await];
        let key = owner.key(server).await;
        let operator = server.admin_secret();
        let keys = owner.get(server, "/api/auth/public-keys").await.json();
        let public_key = text(&keys["public_keys"][0]["key_id"]);
        Self {
            owner,
            member,
            stranger,
            removed,
            other_owner,
            other_member,
            room,
            revoked_key,
            token,
            old_token,
            other_token,
            key,
            public_key,
            job: Mutex::default(),
            operator,
            _workers: workers,
        }
    }

    /// The id of the worker that is connected, in both rooms.
    pub(super) fn worker(&self) -> String {
        self.owner.name.replace("ana", "gpu")
    }

    pub(super) fn job(&self) -> String {
        self.job.lock().unwrap().clone()
    }

    pub(super) fn set_job(&self, job: &str) {
        job.clone_into(&mut self.job.lock().unwrap());
    }

    fn credential(&self, caller: Caller) -> Option<&str> {
        Some(match caller {
            Caller::Nobody => return None,
            Caller::Bad => "not.a.token",
            Caller::Revoked => &self.revoked_key,
            Caller::Stranger => &self.stranger.token,
            Caller::Removed => &self.removed.token,
            Caller::OfOther => &self.other_member.token,
            Caller::OfOtherOwner => &self.other_owner.token,
            Caller::OtherWorker => &self.other_token.0,
            Caller::Member => &self.member.token,
            Caller::Worker => &self.token.0,
            Caller::Owner => &self.owner.token,
            Caller::Operator => &self.operator,
        })
    }

    fn account(&self, caller: Caller) -> Option<&Account> {
        Some(match caller {
            Caller::Stranger => &self.stranger,
            Caller::Removed => &self.removed,
            Caller::OfOther => &self.other_member,
            Caller::OfOtherOwner => &self.other_owner,
            Caller::Member => &self.member,
            Caller::Owner => &self.owner,
            Caller::Nobody
            | Caller::Bad
            | Caller::Revoked
            | Caller::OtherWorker
            | Caller::Worker
            | Caller::Operator => {
                return None;
            }
        })
    }

    /// The status of the answer.
    pub(super) async fn ask(&self, server: &TestServer, route: &Route, caller: Caller) -> u16 {
        let sample = samples::of(server, route, self).await;
        let computer = match route.path {
            // A computer says who it is, and not its account; one that has none makes it.
            "/api/auth/key-login" => self.account(caller).map(|account| account.computer.clone()),
            "/api/auth/account" if route.method == "POST" => self.account(caller).map(|_| Installation::new()),
            _ => None,
        };
        let sample = match (computer, self.credential(caller)) {
            (Some(computer), _) => sample.bearer(&computer.sign_in(server).await),
            (None, Some(credential)) => sample.bearer(credential),
            (None, None) => sample,
        };
        sample.status(server).await
    }

    /// A login that waits for somebody: its state and its code.
    pub(super) async fn login(&self, server: &TestServer) -> (String, String) {
        static LOGINS: AtomicU32 = AtomicU32::new(0);
        let state = format!("a-computer-that-waits-{}", LOGINS.fetch_add(1, Ordering::Relaxed));
        let reply = server.get(&format!("/api/auth/cli/poll?state={state}")).send().await;
        assert_eq!((reply.status, &reply.json()["status"]), (202, &json!("pending")), "{reply:?}");
        (state, text(&reply.json()["code"]))
    }
}
