//! What `server` prints when it is up.

use sleap_rtc_cli::commands::server::lines;

fn told(http: &str, public_url: Option<&str>) -> String {
    let address = http.parse().expect("an address");
    lines(address, "127.0.0.1:8080".parse().expect("an address"), "/data", public_url).join("\n")
}

#[test]
fn other_machines_are_told_of_only_where_they_can_connect() {
    let export = "export SLEAP_RTC_SERVER=";
    assert!(told("0.0.0.0:8001", None).contains(&format!("{export}http://THIS-MACHINE:8001")));
    assert!(told("127.0.0.1:8001", Some("https://rtc.lab.edu")).contains(&format!("{export}https://rtc.lab.edu")));
    let here = told("127.0.0.1:8001", None);
    assert!(here.contains("this machine only") && !here.contains("other machines"), "{here}");
    assert!(here.ends_with("sleap-rtc room create --name my-lab"), "{here}");
}
