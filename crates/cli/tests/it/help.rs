//! The help texts.

use clap::CommandFactory as _;
use insta::assert_snapshot;
use sleap_rtc_cli::args::Cli;

/// What `--help` prints for a command, 80 columns wide.
fn help(path: &[&str]) -> String {
    let mut command = Cli::command().term_width(80);
    command.build();
    let mut at = &mut command;
    for name in path {
        at = at.find_subcommand_mut(name).expect("there is such a command");
    }
    at.render_help().to_string()
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_program() {
    assert_snapshot!(help(&[]), @r"
    One pool out of a lab's GPU machines: train SLEAP models on a machine that is
    free.

    Usage: sleap-rtc [OPTIONS] <COMMAND>

    Commands:
      server     Run the server: rooms, and who is free in them. It never sees data
      room       Rooms on the server: make, list, show, extend, delete; who belongs
                 to them
      worker     Offer this machine's GPUs to a room
      train      Train a model on a free worker and bring it home
      status     Show who is in the room and what each worker does
      jobs       Show the jobs that were started here: which wait and why, which
                 run, how they ended
      watch      Come back to a job that goes on, and bring its model home
      stop       End a job early and keep its model
      cancel     End a job now, without a model
      demo       Server, worker and training on this machine, with example data
      doctor     Check what sleap-rtc needs and say what is missing
      trainer    The program that workers train with
      test-room  A room and a user for one test, gone at its end; printed, secrets
                 too, as JSON
      login      Make this computer one of your account's, or let another one in
      logout     Take this computer from your account
      account    Your account: make it, show it, take a computer from it
      key        Keys of your account, for the Python package and the login page
      token      Tokens by which workers of the Python package come into a room
      identity   Anonymous users on the server
      help       Print this message or the help of the given subcommand(s)

    Options:
          --json     Print results as JSON, one object a line
      -h, --help     Print help (see more with '--help')
      -V, --version  Print version

    Environment:
      SLEAP_RTC_SERVER          the server's address [default:
      http://127.0.0.1:8001]
      SLEAP_RTC_ROOM_ID         the room, as `room create` printed it
      SLEAP_RTC_ROOM_TOKEN      the room's token; a member of the room needs none
      SLEAP_RTC_SIGNALING_HTTP  where the server's HTTP side has another address
      SLEAP_RTC_SIGNALING_WS    where the server's WebSocket side has another
      address
      SLEAP_RTC_CA              certificates to believe, instead of this machine's
      SLEAP_RTC_INSECURE        set: talk to servers outside your network without
      encryption
      SLEAP_DASHBOARD_URL       the Python package's login page; `doctor` says
      whether it leads here
      SLEAP_RTC_ACCOUNT_KEY     the Python package's account key; `doctor` says
      whether it is set
      SLEAP_RTC_API_KEY         the Python package's token of a worker; `doctor`
      says whether it is set
      GITHUB_CLIENT_ID          with GITHUB_CLIENT_SECRET: `server` lets people log
      in by GitHub
      SLEAP_RTC_TRAINER         the sleap-nn program that workers run
      SLEAP_RTC_PYTHON          the Python that `trainer install` takes
      SLEAP_RTC_HOME            folder of settings and keys [default: ~/.sleap-rtc]
      SLEAP_RTC_LOG             error, warn, info or debug [default: warn]
      NO_COLOR                  no colours

    Exit codes are listed in docs/exit-codes.md; 0 means that all went well.
    ");
}

#[test]
fn server() {
    assert_snapshot!(help(&["server"]), @r"
    Run the server: rooms, and who is free in them. It never sees data

    Usage: sleap-rtc server [OPTIONS]

    Options:
          --listen <IP>        Address to listen on; by default all of this
                               machine's, so that GPU machines can reach it
                               [default: 0.0.0.0]
          --http-port <PORT>   Port for HTTP; 0 takes a free one. All ports serve
                               all that is spoken over TCP [default: 8001]
          --ws-port <PORT>     Port for WebSocket; 0 takes a free one [default:
                               8080]
          --relay-port <PORT>  Port where the Python package looks for the relay, or
                               off [default: 8081 if it is free]
          --stun-port <PORT>   UDP port for STUN, by which peers behind NAT learn
                               their own address, or off [default: 3478 if it is
                               free]
          --ice-server <URL>   Another server that helps peers to find each other:
                               stun:HOST:PORT, or @FILE for one with a login (JSON
                               with urls, username and credential); repeatable
          --data <DIR>         Folder for the database [default: in your data
                               folder]
          --public-url <URL>   How others reach this server, e.g.
                               http://admin-box:8001; told to whoever makes a room
          --json               Print results as JSON, one object a line
      -h, --help               Print help

    TLS:
          --tls-cert <FILE>  Certificate for all TCP ports, with those that it
                             stands on (PEM); read anew when it changes
          --tls-key <FILE>   Its private key (PEM)

    Rules:
          --trust-proxy <IP>  A proxy in front of this server that is believed when
                              it says for whom it calls (X-Forwarded-For);
                              repeatable
          --open-deletes      Anybody may extend and delete any room and peer, as on
                              the original's server
          --grace <TIME>      How long a room without a name, and an anonymous user,
                              outlive their last connection; 0s: not at all
                              [default: 1m]
    ");
}

#[test]
fn room() {
    assert_snapshot!(help(&["room"]), @r"
    Rooms on the server: make, list, show, extend, delete; who belongs to them

    Usage: sleap-rtc room [OPTIONS] <COMMAND>

    Commands:
      create   Make a room and print what workers and clients need to join it
      list     List the rooms that you made or joined
      show     Show one room, and to its owner what workers and clients need to join
               it
      extend   Let a room live for its whole time again, counted from now
      delete   Delete a room, with everybody in it
      invite   Make a code by which others become members; for the room's owner
      join     Become a member of a room by a code: then it needs no token
      members  List who belongs to a room
      remove   Take somebody out of a room; for its owner, and for yourself
      set      Change a room's name and switches; for its owner
      help     Print this message or the help of the given subcommand(s)

    Options:
          --json  Print results as JSON, one object a line
      -h, --help  Print help
    ");
}

#[test]
fn room_create() {
    assert_snapshot!(help(&["room", "create"]), @r"
    Make a room and print what workers and clients need to join it

    Usage: sleap-rtc room create [OPTIONS] --name <NAME>

    Options:
          --name <NAME>  Name of the room, e.g. my-lab-gpu-pool
          --ttl <TIME>   How long it lives without visitors: 12h, 90d, never
                         [default: 30d]
          --json         Print results as JSON, one object a line
      -h, --help         Print help

    On your own server:
          --id <ID>          The room's id, instead of a drawn one; implies
                             --operator
          --token <-|@FILE>  Where the room's token comes from: - (standard input)
                             or @FILE; implies --operator. The token itself is
                             refused here: others on this machine see arguments

    Server:
          --server <URL>      Address of the server, e.g. http://admin-box:8001
                              [env: SLEAP_RTC_SERVER]
          --ca <FILE>         File with the certificate of the server or its
                              authority, if this machine does not know it [env:
                              SLEAP_RTC_CA]
          --insecure          Talk to a server outside your network without
                              encryption [env: SLEAP_RTC_INSECURE]
          --operator[=<DIR>]  Ask as the server's operator, by the secret in its
                              data folder [default folder: in your data folder]
    ");
}

#[test]
fn room_delete() {
    assert_snapshot!(help(&["room", "delete"]), @r"
    Delete a room, with everybody in it

    Usage: sleap-rtc room delete [OPTIONS] <ROOM>

    Arguments:
      <ROOM>  The room

    Options:
      -y, --yes   Do not ask
          --json  Print results as JSON, one object a line
      -h, --help  Print help

    Server:
          --server <URL>      Address of the server, e.g. http://admin-box:8001
                              [env: SLEAP_RTC_SERVER]
          --ca <FILE>         File with the certificate of the server or its
                              authority, if this machine does not know it [env:
                              SLEAP_RTC_CA]
          --insecure          Talk to a server outside your network without
                              encryption [env: SLEAP_RTC_INSECURE]
          --operator[=<DIR>]  Ask as the server's operator, by the secret in its
                              data folder [default folder: in your data folder]
    ");
}

#[test]
fn login() {
    assert_snapshot!(help(&["login"]), @r"
    Make this computer one of your account's, or let another one in

    Usage: sleap-rtc login [OPTIONS]

    Options:
          --allow <CODE>  Let another computer in, which shows this code: it becomes
                          one of your account's
      -y, --yes           Do not ask; without a terminal nobody is let in without
                          this
          --json          Print results as JSON, one object a line
      -h, --help          Print help

    Server:
          --server <URL>  Address of the server, e.g. http://admin-box:8001 [env:
                          SLEAP_RTC_SERVER]
          --ca <FILE>     File with the certificate of the server or its authority,
                          if this machine does not know it [env: SLEAP_RTC_CA]
          --insecure      Talk to a server outside your network without encryption
                          [env: SLEAP_RTC_INSECURE]
    ");
}

#[test]
fn account() {
    assert_snapshot!(help(&["account"]), @r"
    Your account: make it, show it, take a computer from it

    Usage: sleap-rtc account [OPTIONS] <COMMAND>

    Commands:
      create  Make an account, of which this computer is the first; as the server's
              operator: one for somebody else
      show    Show your account and its computers
      remove  Take a computer from your account, one that is lost too. This one:
              sleap-rtc logout
      help    Print this message or the help of the given subcommand(s)

    Options:
          --json  Print results as JSON, one object a line
      -h, --help  Print help
    ");
}

#[test]
fn account_create() {
    assert_snapshot!(help(&["account", "create"]), @r"
    Make an account, of which this computer is the first; as the server's operator:
    one for somebody else

    Usage: sleap-rtc account create [OPTIONS] <NAME>

    Arguments:
      <NAME>  Its name, as others see it: up to 39 letters, digits, '-', '_' or '.'

    Options:
          --json  Print results as JSON, one object a line
      -h, --help  Print help (see more with '--help')

    Server:
          --server <URL>      Address of the server, e.g. http://admin-box:8001
                              [env: SLEAP_RTC_SERVER]
          --ca <FILE>         File with the certificate of the server or its
                              authority, if this machine does not know it [env:
                              SLEAP_RTC_CA]
          --insecure          Talk to a server outside your network without
                              encryption [env: SLEAP_RTC_INSECURE]
          --operator[=<DIR>]  Ask as the server's operator, by the secret in its
                              data folder [default folder: in your data folder]
    ");
}

#[test]
fn account_remove() {
    assert_snapshot!(help(&["account", "remove"]), @r"
    Take a computer from your account, one that is lost too. This one: sleap-rtc
    logout

    Usage: sleap-rtc account remove [OPTIONS] <COMPUTER>

    Arguments:
      <COMPUTER>  Which one, by its id or its name, as `account show` prints them

    Options:
      -y, --yes   Do not ask
          --json  Print results as JSON, one object a line
      -h, --help  Print help

    Server:
          --server <URL>  Address of the server, e.g. http://admin-box:8001 [env:
                          SLEAP_RTC_SERVER]
          --ca <FILE>     File with the certificate of the server or its authority,
                          if this machine does not know it [env: SLEAP_RTC_CA]
          --insecure      Talk to a server outside your network without encryption
                          [env: SLEAP_RTC_INSECURE]
    ");
}

#[test]
fn keys() {
    assert_snapshot!(help(&["key"]), @r"
    Keys of your account, for the Python package and the login page

    Usage: sleap-rtc key [OPTIONS] <COMMAND>

    Commands:
      create  Make a key and print it, this once: as SLEAP_RTC_ACCOUNT_KEY it stands
              for you in the Python package, and on the login page
      list    List your keys, by their public names
      revoke  End a key
      help    Print this message or the help of the given subcommand(s)

    Options:
          --json  Print results as JSON, one object a line
      -h, --help  Print help
    ");
}

#[test]
fn key_revoke() {
    assert_snapshot!(help(&["key", "revoke"]), @r"
    End a key

    Usage: sleap-rtc key revoke [OPTIONS] <KEY>

    Arguments:
      <KEY>  Its public name, as `key list` prints it. The key itself is refused
             here: others on this machine see arguments

    Options:
          --json  Print results as JSON, one object a line
      -h, --help  Print help

    Server:
          --server <URL>  Address of the server, e.g. http://admin-box:8001 [env:
                          SLEAP_RTC_SERVER]
          --ca <FILE>     File with the certificate of the server or its authority,
                          if this machine does not know it [env: SLEAP_RTC_CA]
          --insecure      Talk to a server outside your network without encryption
                          [env: SLEAP_RTC_INSECURE]
    ");
}

#[test]
fn tokens() {
    assert_snapshot!(help(&["token"]), @r"
    Tokens by which workers of the Python package come into a room

    Usage: sleap-rtc token [OPTIONS] <COMMAND>

    Commands:
      create  Make a token and print it, this once: as SLEAP_RTC_API_KEY it lets a
              worker of the Python package into one room
      list    List the tokens that you made, by their public names
      revoke  End a token
      help    Print this message or the help of the given subcommand(s)

    Options:
          --json  Print results as JSON, one object a line
      -h, --help  Print help
    ");
}

#[test]
fn token_create() {
    assert_snapshot!(help(&["token", "create"]), @r"
    Make a token and print it, this once: as SLEAP_RTC_API_KEY it lets a worker of
    the Python package into one room

    Usage: sleap-rtc token create [OPTIONS] --name <NAME>

    Options:
          --room <ROOM>     The room [default: the one that is set,
                            SLEAP_RTC_ROOM_ID]
          --name <NAME>     Name of the worker, e.g. gpu1
          --expires <TIME>  How long it is good: 7d, 365d, never [default: 7d]
          --json            Print results as JSON, one object a line
      -h, --help            Print help

    Server:
          --server <URL>  Address of the server, e.g. http://admin-box:8001 [env:
                          SLEAP_RTC_SERVER]
          --ca <FILE>     File with the certificate of the server or its authority,
                          if this machine does not know it [env: SLEAP_RTC_CA]
          --insecure      Talk to a server outside your network without encryption
                          [env: SLEAP_RTC_INSECURE]
    ");
}

#[test]
fn room_members() {
    assert_snapshot!(help(&["room", "members"]), @r"
    List who belongs to a room

    Usage: sleap-rtc room members [OPTIONS] [ROOM]

    Arguments:
      [ROOM]  The room [default: the one that is set, SLEAP_RTC_ROOM_ID]

    Options:
          --json  Print results as JSON, one object a line
      -h, --help  Print help

    Server:
          --server <URL>  Address of the server, e.g. http://admin-box:8001 [env:
                          SLEAP_RTC_SERVER]
          --ca <FILE>     File with the certificate of the server or its authority,
                          if this machine does not know it [env: SLEAP_RTC_CA]
          --insecure      Talk to a server outside your network without encryption
                          [env: SLEAP_RTC_INSECURE]
    ");
    assert_snapshot!(help(&["room", "join"]), @r"
    Become a member of a room by a code: then it needs no token

    Usage: sleap-rtc room join [OPTIONS] <CODE>

    Arguments:
      <CODE>  The code that `room invite` printed for the room's owner

    Options:
          --json  Print results as JSON, one object a line
      -h, --help  Print help

    Server:
          --server <URL>  Address of the server, e.g. http://admin-box:8001 [env:
                          SLEAP_RTC_SERVER]
          --ca <FILE>     File with the certificate of the server or its authority,
                          if this machine does not know it [env: SLEAP_RTC_CA]
          --insecure      Talk to a server outside your network without encryption
                          [env: SLEAP_RTC_INSECURE]
    ");
    assert_snapshot!(help(&["room", "remove"]), @r"
    Take somebody out of a room; for its owner, and for yourself

    Usage: sleap-rtc room remove [OPTIONS] <MEMBER>

    Arguments:
      <MEMBER>  Who, by name or id, as `room members` prints them

    Options:
          --room <ROOM>  The room [default: the one that is set, SLEAP_RTC_ROOM_ID]
          --json         Print results as JSON, one object a line
      -h, --help         Print help

    Server:
          --server <URL>  Address of the server, e.g. http://admin-box:8001 [env:
                          SLEAP_RTC_SERVER]
          --ca <FILE>     File with the certificate of the server or its authority,
                          if this machine does not know it [env: SLEAP_RTC_CA]
          --insecure      Talk to a server outside your network without encryption
                          [env: SLEAP_RTC_INSECURE]
    ");
}

#[test]
fn room_set() {
    assert_snapshot!(help(&["room", "set"]), @r"
    Change a room's name and switches; for its owner

    Usage: sleap-rtc room set [OPTIONS] <--name <NAME>|--mesh <off|reference>|--strict-offers <on|off>> [ROOM]

    Arguments:
      [ROOM]  The room [default: the one that is set, SLEAP_RTC_ROOM_ID]

    Options:
          --name <NAME>  Another name
          --json         Print results as JSON, one object a line
      -h, --help         Print help (see more with '--help')

    For the Python package:
          --mesh <off|reference>    Whether workers of the Python package form a
                                    mesh among themselves, as on the original's
                                    server [possible values: off, reference]
          --strict-offers <on|off>  Whether only one client at a time reaches a
                                    worker of the Python package [possible values:
                                    on, off]

    Server:
          --server <URL>  Address of the server, e.g. http://admin-box:8001 [env:
                          SLEAP_RTC_SERVER]
          --ca <FILE>     File with the certificate of the server or its authority,
                          if this machine does not know it [env: SLEAP_RTC_CA]
          --insecure      Talk to a server outside your network without encryption
                          [env: SLEAP_RTC_INSECURE]
    ");
}

#[test]
fn identity_cleanup() {
    assert_snapshot!(help(&["identity", "cleanup"]), @r"
    Forget anonymous users that are no longer used. Your own key is never touched

    Usage: sleap-rtc identity cleanup [OPTIONS]

    Options:
          --older-than <TIME>  Only those that signed in longer ago: 1h, 24h, 7d
                               [default: 1h]
          --dry-run            Say what would go, and keep it
          --json               Print results as JSON, one object a line
      -h, --help               Print help (see more with '--help')

    Server:
          --server <URL>      Address of the server, e.g. http://admin-box:8001
                              [env: SLEAP_RTC_SERVER]
          --ca <FILE>         File with the certificate of the server or its
                              authority, if this machine does not know it [env:
                              SLEAP_RTC_CA]
          --insecure          Talk to a server outside your network without
                              encryption [env: SLEAP_RTC_INSECURE]
          --operator[=<DIR>]  Ask as the server's operator, by the secret in its
                              data folder [default folder: in your data folder]
    ");
}

#[test]
fn a_room_for_a_test() {
    assert_snapshot!(help(&["test-room"]), @r"
    A room and a user for one test, gone at its end; printed, secrets too, as JSON

    Usage: sleap-rtc test-room [OPTIONS] [-- <COMMAND>...]

    Arguments:
      [COMMAND]...  Run this with SLEAP_RTC_SERVER, _ROOM_ID, _ROOM_TOKEN, _ID_TOKEN
                    and _PEER_ID set, and end with its exit code

    Options:
          --json  Print results as JSON, one object a line
      -h, --help  Print help (see more with '--help')

    Server:
          --server <URL>  Address of the server, e.g. http://admin-box:8001 [env:
                          SLEAP_RTC_SERVER]
          --ca <FILE>     File with the certificate of the server or its authority,
                          if this machine does not know it [env: SLEAP_RTC_CA]
          --insecure      Talk to a server outside your network without encryption
                          [env: SLEAP_RTC_INSECURE]
    ");
}

#[test]
fn worker() {
    assert_snapshot!(help(&["worker"]), @r"
    Offer this machine's GPUs to a room

    Usage: sleap-rtc worker [OPTIONS]

    Options:
          --gpu <INDEX>  GPU to offer, as nvidia-smi counts; repeat it for more than
                         one
          --cpu          Offer the CPU instead of a GPU: slow, for trying things out
          --name <NAME>  Name that others see [default: this machine's name]
          --tag <TAG>    Tag that a training may ask for; repeatable
          --data <DIR>   Folder for the jobs' files [default: in your data folder]
          --json         Print results as JSON, one object a line
      -h, --help         Print help

    Server:
          --server <URL>  Address of the server, e.g. http://admin-box:8001 [env:
                          SLEAP_RTC_SERVER]
          --ca <FILE>     File with the certificate of the server or its authority,
                          if this machine does not know it [env: SLEAP_RTC_CA]
          --insecure      Talk to a server outside your network without encryption
                          [env: SLEAP_RTC_INSECURE]

    Room:
          --room <ID>          The room [env: SLEAP_RTC_ROOM_ID]
          --token-file <FILE>  File with the room's token [env: SLEAP_RTC_ROOM_TOKEN
                               holds the token itself]
    ");
}

#[test]
fn train() {
    assert_snapshot!(help(&["train"]), @r"
    Train a model on a free worker and bring it home

    Usage: sleap-rtc train [OPTIONS] <LABELS>

    Arguments:
      <LABELS>  Your labels: data.slp (its videos are sent too) or data.pkg.slp
                (images inside)

    Options:
          --json  Print results as JSON, one object a line
      -h, --help  Print help

    Training:
      -c, --config <YAML>    Training configuration (YAML); repeat it to train
                             several models in turn. Without one, the worker writes
                             a good one from your labels
          --video <PATH>     Video that the labels name but that lies elsewhere now,
                             or a folder with such videos; repeatable
          --epochs <N>       Epochs at most
          --batch-size <N>   Images a batch
          --lr <RATE>        Learning rate, e.g. 0.0001
          --pipeline <KIND>  Kind of model, where no configuration is given
                             [possible values: single_instance, centroid, bottomup,
                             topdown, multi_class_bottomup, multi_class_topdown,
                             bbox_centernet, bbox_ssd, topdown_bbox_centernet,
                             topdown_bbox_ssd]
          --run-name <NAME>  Name of the run: the model lands in OUTPUT/NAME
                             [default: made from the labels and the time]
      -o, --output <DIR>     Folder for the models. Nothing in it is ever
                             overwritten [default: models]

    Worker:
          --min-gpu-memory <SIZE>  Only workers with at least this much GPU memory:
                                   16, 16GB, 500MB
          --tag <TAG>              Only workers with this tag; repeated: with one of
                                   them
          --wait <TIME>            How long to wait in line for a worker if none is
                                   free: 30s, 10m, 2h; at most 7d [default: at a
                                   terminal until one is free, elsewhere not at all]
          --no-wait                Leave at once, with exit code 3, if no worker is
                                   free
          --retry <N>              How often to train on another worker after the
                                   one that had the job is lost; it waits for that
                                   one as --wait says. Only what the last one makes
                                   is taken [default: 0]

    Server:
          --server <URL>  Address of the server, e.g. http://admin-box:8001 [env:
                          SLEAP_RTC_SERVER]
          --ca <FILE>     File with the certificate of the server or its authority,
                          if this machine does not know it [env: SLEAP_RTC_CA]
          --insecure      Talk to a server outside your network without encryption
                          [env: SLEAP_RTC_INSECURE]

    Room:
          --room <ID>          The room [env: SLEAP_RTC_ROOM_ID]
          --token-file <FILE>  File with the room's token [env: SLEAP_RTC_ROOM_TOKEN
                               holds the token itself]
    ");
}

#[test]
fn trainer_install() {
    assert_snapshot!(help(&["trainer", "install"]), @r"
    Install sleap-nn, with the torch that fits this machine

    Usage: sleap-rtc trainer install [OPTIONS]

    Options:
          --dir <DIR>  Folder to install into [default: in your data folder]
          --cpu        Install for the CPU only. Never on a machine whose GPU shall
                       train
      -y, --yes        Do not ask
          --json       Print results as JSON, one object a line
      -h, --help       Print help
    ");
}

#[test]
fn no_option_takes_a_secret() {
    fn visit(command: &clap::Command) {
        for arg in command.get_arguments() {
            let name = arg.get_long().unwrap_or_default();
            // `room create --token` takes `-` and `@FILE`, and refuses a token.
            let is_source = command.get_name() == "create" && name == "token";
            let is_secret = ["token", "secret", "key", "password"].contains(&name);
            assert!(is_source || !is_secret, "--{name} would show a secret to `ps`");
        }
        command.get_subcommands().for_each(visit);
    }
    visit(&Cli::command());
}
