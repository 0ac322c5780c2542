//! Logins, accounts and their keys.

use super::Who::{Anybody, Holder, Operator, SignedIn};
use super::{Row, delete, get, post};
use crate::http::{accounts, cli_login, github, keys, login};

/// One row a line.
#[rustfmt::skip]
pub(super) fn rows() -> Vec<Row> {
    vec![
        post("/api/auth/account", SignedIn, accounts::create).what("an account for the computer that signed in"),
        get("/api/auth/account", SignedIn, accounts::show).what("the caller's account"),
        post("/api/auth/key-login", SignedIn, accounts::key_login).what("a token of the account that has the computer"),
        post("/api/auth/device", SignedIn, accounts::attach).what("attaches a computer to the account"),
        get("/admin/accounts", Operator, accounts::list).what("every account"),
        post("/admin/accounts", Operator, accounts::create_for).what("an account for somebody else"),
        get("/login", Anybody, login::show).what("the page on which a computer is let in"),
        post("/login", Holder, login::by_key).guess().what("lets a computer in, by an account's key"),
        get("/login/style.css", Anybody, login::style).what("how that page looks"),
        post("/login/github", Holder, login::to_github).guess().what("sends the browser to GitHub"),
        get("/login/github/callback", Holder, login::from_github).guess().what("lets a computer in, by GitHub"),
        get("/api/auth/cli/poll", Holder, cli_login::poll).what("whether somebody has let the computer in"),
        post("/api/auth/cli/deposit", Holder, cli_login::deposit).guess().what("lets a computer in, by a dashboard"),
        get("/api/auth/cli/asking", SignedIn, cli_login::asking).guess().what("which computer asks with a code"),
        post("/api/auth/cli/allow", SignedIn, cli_login::allow).guess().what("lets a computer in, by its code"),
        post("/api/auth/github/callback", Holder, github::call_back).guess().what("an account's token for a code of GitHub"),
        post("/api/auth/account-keys", SignedIn, keys::create).what("a new key of the account"),
        get("/api/auth/account-keys", SignedIn, keys::list).what("the account's keys"),
        delete("/api/auth/account-keys/{key_id}", SignedIn, keys::revoke).what("ends a key of the account"),
        post("/api/auth/public-keys", SignedIn, keys::add_public).what("a key that the account says to have"),
        get("/api/auth/public-keys", SignedIn, keys::list_public).what("the account's computers"),
        delete("/api/auth/public-keys/{key_id}", SignedIn, keys::remove_public).what("removes a computer"),
    ]
}
