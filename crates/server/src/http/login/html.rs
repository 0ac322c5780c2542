//! What the pages say.

use std::fmt;

use sleap_rtc_wire::Time;

use crate::logins::Waiting;

/// A whole page.
pub(super) struct Page {
    title: &'static str,
    /// In seconds.
    again: Option<u32>,
    body: String,
}

impl Page {
    fn new(title: &'static str, body: String) -> Self {
        Self { title, again: None, body }
    }

    pub(super) fn text(&self) -> String {
        let Self { title, again, body } = self;
        let again = again.map(|seconds| format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">\n"));
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n{}\
             <title>{title} - sleap-rtc</title>\n<link rel=\"stylesheet\" href=\"/login/style.css\">\n</head>\n\
             <body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n",
            again.unwrap_or_default()
        )
    }
}

/// A text from outside, as it may stand in a page.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => fmt::Write::write_char(f, c)?,
            }
        }
        Ok(())
    }
}

pub(super) fn what_it_is_for() -> Page {
    let body = "<p>A program that logs in opens this page with a name of its own. \
                Run <code>sleap-rtc login</code> on the computer that you want to log in.</p>\n";
    Page::new("Log in", body.to_owned())
}

pub(super) fn asks(waiting: &Waiting, state: &str, by_github: bool, now: Time) -> Page {
    let (state, code) = (Text(state), Text(&waiting.code));
    let github = format!(
        "<form method=\"post\" action=\"/login/github\">\n<input type=\"hidden\" name=\"cli_state\" value=\"{state}\">\n\
         <button>Let it in with GitHub</button>\n</form>\n"
    );
    let body = format!(
        "<p>Let it in only if it is yours and shows this code, or if you have just started its login yourself.</p>\n{}\
         {}<form method=\"post\" action=\"/login\">\n<input type=\"hidden\" name=\"cli_state\" value=\"{state}\">\n\
         <label for=\"key\">Key of your account</label>\n\
         <input id=\"key\" name=\"account_key\" type=\"password\" autocomplete=\"off\" placeholder=\"slp_acct_...\" required>\n\
         <button>Let it in</button>\n</form>\n\
         <p>Or on a computer that is logged in: <code>sleap-rtc login --allow {code}</code></p>\n",
        computer(waiting, now),
        if by_github { &github } else { "" },
    );
    Page::new("A computer asks to be let in", body)
}

fn computer(waiting: &Waiting, now: Time) -> String {
    let program = if waiting.program.is_empty() { "it does not say" } else { &waiting.program };
    format!(
        "<dl>\n<dt>Code</dt><dd class=\"code\">{}</dd>\n<dt>Address</dt><dd>{}</dd>\n<dt>Program</dt><dd>{}</dd>\n\
         <dt>Asks since</dt><dd>{} s</dd>\n</dl>\n",
        Text(&waiting.code),
        waiting.address,
        Text(program),
        now.since(waiting.since) / 1000
    )
}

pub(super) fn not_yet() -> Page {
    let body = "<p>No computer asks for this login, or no longer. If you have just started it, wait: this page looks again by itself. \
                If not, run <code>sleap-rtc login</code> once more.</p>\n";
    Page { again: Some(2), ..Page::new("Nobody asks yet", body.to_owned()) }
}

pub(super) fn allowed(waiting: &Waiting, username: &str) -> Page {
    let (address, username) = (waiting.address, Text(username));
    let body = format!("<p>The computer at {address} is let in as <b>{username}</b>. You can close this page.</p>\n");
    Page::new("Done", body)
}

pub(super) fn allowed_already() -> Page {
    Page::new("Done already", "<p>This login was allowed already.</p>\n".to_owned())
}

pub(super) fn refused(why: &str) -> Page {
    Page::new("Not let in", format!("<p>{}.</p>\n<p>Go back to try again.</p>\n", Text(why)))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn what_a_program_calls_itself_is_text_and_no_page() {
        let program = "<script>alert('x')</script>&\"".to_owned();
        let waiting =
            Waiting { code: "ABCD-2345".to_owned(), address: Ipv4Addr::LOCALHOST.into(), program, since: Time(0) };
        let page = asks(&waiting, "state", true, Time(5_000)).text();
        assert!(
            !page.contains("<script") && page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;")
        );
        assert!(page.contains("ABCD-2345") && page.contains("<dd>5 s</dd>") && page.contains("127.0.0.1"));
    }

    #[test]
    fn nothing_in_it_needs_what_the_policy_forbids() {
        let waiting = Waiting {
            code: String::new(),
            address: Ipv4Addr::LOCALHOST.into(),
            program: String::new(),
            since: Time(0),
        };
        for page in
            [what_it_is_for(), asks(&waiting, "s", true, Time(0)), not_yet(), allowed(&waiting, "ana"), refused("no")]
        {
            let text = page.text();
            for forbidden in ["<script", "style=", "<style", "onclick", "src=", "http://", "https://"] {
                assert!(!text.contains(forbidden), "{forbidden} in {text}");
            }
        }
    }
}
