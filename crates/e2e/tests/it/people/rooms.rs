//! `room create`, `list`, `show`, `extend`, `delete`.

use std::fs;
use std::process::{Command, Stdio};

use sleap_rtc_cli::exit::Exit;

use super::{Operator, operator_option};
use crate::house::{Desk, House, until};

/// The last column of `room list` about the only room.
fn peers(desk: &Desk) -> String {
    let listed = desk.run(&["room", "list"]).good();
    assert_eq!(listed.out.len(), 2, "a title and a room: {listed}");
    let at = listed.out[0].find("PEERS").expect("a title");
    listed.out[1][at..].to_owned()
}

#[test]
fn a_room_is_listed_shown_extended_and_deleted() {
    let mut house = House::with_server();
    let admin = house.desk("admin");
    assert!(admin.run(&["room", "list"]).good().err.concat().contains("You have no room"));
    for verb in ["show", "extend"] {
        let fault = admin.run(&["room", verb]).fails(Exit::Usage);
        assert!(fault.hints[0].ends_with("sleap-rtc room list"), "{}", fault.text);
    }
    let made = house.make_room(&["--name", "talmolab", "--ttl", "2h"]);
    let (id, token) = (made["room_id"].as_str().unwrap(), made["token"].as_str().unwrap());
    let admin = house.desk("admin");
    assert_eq!(peers(&admin), "nobody");
    let worker = house.worker();
    until("the worker is in the room", || (peers(&admin) == "1 worker").then_some(()));

    let shown = admin.run(&["room", "show"]).good();
    for line in [&format!("  SLEAP_RTC_ROOM_ID=\"{id}\""), &format!("  SLEAP_RTC_ROOM_TOKEN=\"{token}\"")] {
        assert!(shown.out.contains(line), "{line}: {shown}");
    }
    assert!(shown.out.contains(&"Name: talmolab".to_owned()) && shown.out.contains(&"Your role: owner".to_owned()));
    let extended = admin.run(&["--json", "room", "extend", id]).good().event("room_extended");
    assert!(extended["expires_at"].as_u64() >= made["expires_at"].as_u64(), "{extended}");

    // Without a terminal nobody is asked, and nothing is deleted.
    let fault = admin.run(&["room", "delete", id]).fails(Exit::Usage);
    assert_eq!(fault.hints, [format!("sleap-rtc room delete {id} --yes")]);
    assert_eq!(Operator::of(&house).rooms(), [id]);
    let deleted = admin.run(&["room", "delete", id, "--yes"]).good();
    assert_eq!(deleted.out, [format!("Room {id} is deleted")]);
    assert_eq!(Operator::of(&house).rooms(), Vec::<String>::new());
    worker.program().says("room");
    for verb in ["show", "extend"] {
        let fault = admin.run(&["room", verb, id]).fails(Exit::RoomRefused);
        assert_eq!(fault.error, format!("there is no room {id}"));
    }
    let fault = admin.run(&["room", "delete", id, "--yes"]).fails(Exit::RoomRefused);
    assert_eq!(fault.error, format!("there is no room {id}"));
}

#[test]
fn a_room_is_seen_by_who_belongs_to_it_and_its_token_by_who_made_it() {
    let house = House::with_room();
    let (id, token) = (house.get("SLEAP_RTC_ROOM_ID").to_owned(), house.get("SLEAP_RTC_ROOM_TOKEN").to_owned());
    let laptop = house.desk("laptop");
    let fault = laptop.run(&["room", "show"]).fails(Exit::RoomRefused);
    assert_eq!(fault.error, format!("you are not a member of room {id}"));
    assert!(laptop.run(&["room", "list"]).good().out.is_empty());
    // Who has been in it belongs to it.
    laptop.run(&["status"]).good();
    let listed = laptop.run(&["--json", "room", "list"]).good().event("room");
    assert_eq!((listed["room_id"].as_str(), listed["role"].as_str()), (Some(&*id), Some("member")));
    let shown = laptop.run(&["room", "show"]).good();
    assert!(!shown.out.concat().contains(&token), "{shown}");
    assert!(shown.out.contains(&"Your role: member".to_owned()), "{shown}");
    let owner = house.desk("admin").run(&["--json", "room", "show"]).good().event("room");
    assert_eq!(owner["token"], token);
}

#[test]
fn the_operator_sees_and_deletes_the_rooms_of_others() {
    let house = House::with_room();
    let id = house.get("SLEAP_RTC_ROOM_ID");
    let operator = operator_option(&house);
    let desk = house.desk("somebody-else");
    let listed = desk.run(&["--json", "room", "list", &operator]).good().event("room");
    assert_eq!((listed["room_id"].as_str(), listed["role"].as_str()), (Some(id), Some("operator")));
    let shown = desk.run(&["--json", "room", "show", id, &operator]).good().event("room");
    assert_eq!(shown["token"], house.get("SLEAP_RTC_ROOM_TOKEN"));
    let fault = desk.run(&["room", "list", "--operator=nowhere"]).fails(Exit::RoomRefused);
    assert!(fault.causes[0].contains("nowhere/admin.secret"), "{}", fault.text);
    fs::create_dir(desk.path().join("wrong")).unwrap();
    fs::write(desk.path().join("wrong/admin.secret"), "of another server\n").unwrap();
    desk.run(&["room", "show", id, "--operator=wrong"]).fails(Exit::RoomRefused);
    desk.run(&["room", "delete", id, "--yes", &operator]).good();
    assert_eq!(Operator::of(&house).rooms(), Vec::<String>::new());
}

#[test]
fn an_operator_says_what_a_rooms_id_and_token_are() {
    let mut house = House::with_server();
    let (operator, admin) = (operator_option(&house), house.desk("admin"));
    let create =
        |id: &'static str, token: &'static str| ["room", "create", "--name", "lab", "--id", id, "--token", token];
    fs::write(admin.path().join("token"), "f9g2h5\n").unwrap();
    let made = admin.run(&[&create("my-lab", "@token")[..], &[&operator]].concat()).good();
    assert!(made.out.contains(&"Token: f9g2h5".to_owned()), "{made}");
    // Machines that are set up go on as they are.
    house.set("SLEAP_RTC_ROOM_ID", "my-lab");
    house.set("SLEAP_RTC_ROOM_TOKEN", "f9g2h5");
    house.desk("laptop").run(&["status"]).good();

    let fault = admin.run(&[&create("my-lab", "@token")[..], &[&operator]].concat()).fails(Exit::Taken);
    assert!(fault.hints[0].contains("another id"), "{}", fault.text);
    let mut piped = admin.command(&[&create("other-lab", "-")[..], &[&operator]].concat());
    fs::write(admin.path().join("answer"), "a-token-from-a-pipe\nmore\n").unwrap();
    let output = piped.stdin(fs::File::open(admin.path().join("answer")).unwrap()).output().unwrap();
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("Token: a-token-from-a-pipe\n")
    );

    let literal = admin.run(&[&["--json"], &create("third-lab", "s3cret-s3cret")[..], &[&operator]].concat());
    assert!(!format!("{:?}{:?}", literal.out, literal.err).contains("s3cret"), "{literal}");
    let fault = literal.fails(Exit::Usage);
    assert!(fault.hints[0].contains("--token @FILE"), "{}", fault.text);
    let mut rooms = Operator::of(&house).rooms();
    rooms.sort();
    assert_eq!(rooms, ["my-lab", "other-lab"]);
    // Who is not the operator has no say; this desk has no server's data folder.
    house.desk("laptop").run(&create("third-lab", "@token")[..6]).fails(Exit::RoomRefused);
    fs::write(admin.path().join("short"), "abc").unwrap();
    admin.run(&[&create("third-lab", "@short")[..], &[&operator]].concat()).fails(Exit::Usage);
}

/// Its answer on a terminal of its own, which `script` makes.
fn answers(desk: &Desk, arguments: &[&str], answer: &str) -> (bool, String) {
    let inner = desk.command(arguments);
    let words: Vec<_> = [inner.get_program()].into_iter().chain(inner.get_args()).collect();
    let line = words.iter().map(|word| format!("'{}'", word.display())).collect::<Vec<_>>().join(" ");
    fs::write(desk.path().join("answer"), answer).unwrap();
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(desk.path()).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
    command.stdin(fs::File::open(desk.path().join("answer")).unwrap()).stderr(Stdio::piped());
    let output = command.output().expect("script, of bsdutils");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn on_a_terminal_a_room_is_deleted_after_a_yes() {
    let house = House::with_room();
    let (admin, id) = (house.desk("admin"), house.get("SLEAP_RTC_ROOM_ID"));
    let (done, said) = answers(&admin, &["room", "delete", id], "no\n");
    assert!(!done && said.contains(&format!("Delete room {id} (lab), with nobody in it? [y/N]")), "{said}");
    assert!(said.contains("you said no"), "{said}");
    assert_eq!(Operator::of(&house).rooms(), [id]);
    let (done, said) = answers(&admin, &["room", "delete", id], "y\n");
    assert!(done && said.contains("is deleted"), "{said}");
    assert_eq!(Operator::of(&house).rooms(), Vec::<String>::new());
}

/// Workers remember the highest fencing number of a room by its id: that of the second room must be higher than all of the first.
#[test]
fn a_room_that_is_made_anew_under_its_old_id_is_served_by_the_workers_that_knew_it() {
    let mut house = House::with_server();
    let (operator, admin) = (operator_option(&house), house.desk("admin"));
    fs::write(admin.path().join("token"), "f9g2h5").unwrap();
    let create = ["room", "create", "--name", "lab", "--id", "my-lab", "--token", "@token", &operator];
    house.set("SLEAP_RTC_ROOM_ID", "my-lab");
    house.set("SLEAP_RTC_ROOM_TOKEN", "f9g2h5");
    let train = ["train", "flies.pkg.slp", "--config", "centroid.yaml", "--epochs", "1"];
    admin.run(&create).good();
    let mut worker = house.worker();
    let laptop = house.desk("laptop");
    laptop.bring(&["flies.pkg.slp", "centroid.yaml"]);
    for _ in 0..2 {
        laptop.run(&train).good();
    }
    worker.close_input();
    worker.end().good();
    admin.run(&["room", "delete", "my-lab", "--yes", &operator]).good();
    admin.run(&create).good();
    worker.restart(&["--until-eof"]);
    laptop.run(&train).good();
}
