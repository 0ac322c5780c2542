//! The browser of somebody who logs in: opens the page that the Python command line shows, and sends its form.

use super::Screen;
use super::lab::word_after;
use crate::house::until;

/// Allows the login that this program waits for, with an account key.
pub(crate) fn allow(login: &Screen, key: &str) {
    let text = login.shows("Waiting for login...");
    let url = word_after(&text, "Open this URL to login:");
    let page = read(&url);
    assert!(page.contains("127.0.0.1"), "the page says which computer asks: {page}");
    let answer = send(&url, &page, key);
    assert!(answer.contains("is let in"), "{answer}");
}

/// The program opens the browser before it asks for the first time; until then the page says so, and loads itself anew.
fn read(url: &str) -> String {
    until("the page knows the login", || match ureq::get(url).call() {
        Ok(mut reply) => Some(reply.body_mut().read_to_string().expect("text")),
        Err(ureq::Error::StatusCode(404)) => None,
        Err(error) => panic!("{url}: {error}"),
    })
}

/// Fills the page's form as a browser does: what is hidden in it as it is, the key where a password goes.
fn send(url: &str, page: &str, key: &str) -> String {
    let form = page.split("<form").find(|form| form.contains("type=\"password\"")).expect("a form for a key");
    let inputs: Vec<&str> = form.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap_or("")).collect();
    let fields: Vec<(String, String)> = inputs
        .iter()
        .filter_map(|input| {
            let name = attribute(input, "name")?;
            let value =
                if input.contains("type=\"password\"") { Some(key.to_owned()) } else { attribute(input, "value") };
            Some((name, value.unwrap_or_default()))
        })
        .collect();
    let action = attribute(form, "action").unwrap_or_default();
    let origin: String = url.splitn(4, '/').take(3).collect::<Vec<&str>>().join("/");
    let reply = ureq::post(format!("{origin}{action}")).header("Origin", &origin).send_form(fields);
    reply.expect("an answer").body_mut().read_to_string().expect("text")
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!("{name}=\""))?.1.split('"').next()?;
    Some(value.replace("&amp;", "&"))
}
