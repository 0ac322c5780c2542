//! Runs the tests of today's Python programs again and again, and counts every step of them: how often it passed, how often a fault
//! of the Python pair itself stopped it, how often it failed, how long it took. The exit code is 1 if a round failed or one of the
//! [`LIMITS`] does not hold.
//!
//! `SLEAP_RTC_TEST_PYTHON_PEERS=… cargo run -p sleap-rtc-e2e --example compat_rounds -- --rounds 20`

#![expect(clippy::expect_used, reason = "a measurement that cannot be made ends the program")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use clap::Parser;
use serde_json::Value;

/// What the medians of these steps must be below, ms. The tests themselves judge no time.
const LIMITS: [(&str, u64); 1] = [("from the start of a worker to being found", 2000)];

#[derive(Parser)]
struct Args {
    /// How many times all of them run.
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// The first round trains with the real trainer too (`SLEAP_RTC_TEST_TRAINER`).
    #[arg(long)]
    real: bool,
    /// The first round takes as long as it needs: 100 rounds of the race for one worker, ten minutes of idling.
    #[arg(long)]
    long: bool,
    /// How many tests run at the same time.
    #[arg(long, default_value_t = 4)]
    threads: u32,
    /// Only tests with this in their names.
    #[arg(default_value = "compat::")]
    filter: String,
}

/// What became of one step over all rounds.
#[derive(Default)]
struct Step {
    passed: u32,
    failed: u32,
    /// By reason.
    of_the_pair: BTreeMap<String, u32>,
    times_ms: Vec<u64>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let tests = test_program();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("steps.jsonl");
    let mut failed = 0;
    for round in 1..=args.rounds {
        let start = Instant::now();
        let good = one_round(&tests, &args, round, &file);
        failed += u32::from(!good);
        let word = if good { "passed" } else { "FAILED" };
        println!("round {round}: {word} after {:.0} s", start.elapsed().as_secs_f64());
    }
    let steps = read(&file);
    print_table(&steps);
    println!("{} of {} rounds passed", args.rounds - failed, args.rounds);
    let in_time = LIMITS.iter().filter(|limit| holds(&steps, limit)).count();
    ExitCode::from(u8::from(failed > 0 || in_time < LIMITS.len()))
}

/// Builds the tests, and says where they are.
fn test_program() -> PathBuf {
    let cargo = std::env::var("CARGO").unwrap_or("cargo".to_owned());
    let arguments = ["test", "--package", "sleap-rtc-e2e", "--test", "it", "--no-run", "--message-format", "json"];
    let built = Command::new(cargo).args(arguments).stderr(Stdio::inherit()).output().expect("cargo starts");
    assert!(built.status.success(), "the tests cannot be built");
    let lines = String::from_utf8_lossy(&built.stdout);
    let messages = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut programs = messages.filter(|message| message["target"]["name"] == "it");
    let program = programs.find_map(|message| message["executable"].as_str().map(PathBuf::from));
    program.expect("cargo names the program")
}

/// Whether all tests passed. What they say is shown only if not.
fn one_round(tests: &Path, args: &Args, round: u32, file: &Path) -> bool {
    let mut command = Command::new(tests);
    command.args([&args.filter, "--test-threads", &args.threads.to_string(), "--nocapture"]);
    command.env("SLEAP_RTC_COMPAT_STEPS", file).current_dir(env!("CARGO_MANIFEST_DIR"));
    if args.long && round == 1 {
        command.env("SLEAP_RTC_COMPAT_LONG", "1");
    }
    if !(args.real && round == 1) {
        command.args(["--skip", "the_real_trainer"]);
    }
    let done = command.output().expect("the tests start");
    if !done.status.success() {
        println!("{}\n{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    }
    done.status.success()
}

fn read(file: &Path) -> BTreeMap<String, Step> {
    let text = std::fs::read_to_string(file).expect("the tests wrote their steps; is SLEAP_RTC_TEST_PYTHON_PEERS set?");
    let mut steps = BTreeMap::<String, Step>::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let step = steps.entry(line["step"].as_str().expect("a name").to_owned()).or_default();
        match line["outcome"].as_str().expect("an outcome") {
            "passed" => step.passed += 1,
            "failed" => step.failed += 1,
            reason => *step.of_the_pair.entry(reason.to_owned()).or_default() += 1,
        }
        step.times_ms.push(line["ms"].as_u64().expect("a time"));
    }
    steps
}

/// Whether the median of a step is below its limit; says so, and how often one was not, as on a machine that is busy elsewhere. A step
/// that the filter leaves out has none.
fn holds(steps: &BTreeMap<String, Step>, (name, limit_ms): &(&str, u64)) -> bool {
    let Some(step) = steps.get(*name) else { return true };
    let late = step.times_ms.iter().filter(|ms| *ms >= limit_ms).count();
    let holds = late * 2 < step.times_ms.len();
    let word = if holds { "holds" } else { "DOES NOT HOLD" };
    println!("{name}: median below {} {word}; {late} of {} were not", seconds(*limit_ms), step.times_ms.len());
    holds
}

fn seconds(ms: u64) -> String {
    format!("{:.2} s", ms as f64 / 1000.0)
}

fn print_table(steps: &BTreeMap<String, Step>) {
    println!("\n| step | passed | failed | of the pair itself | median | longest |\n|---|---|---|---|---|---|");
    for (name, step) in steps {
        let reasons: Vec<String> =
            step.of_the_pair.iter().map(|(reason, count)| format!("{count} × {reason}")).collect();
        let mut times = step.times_ms.clone();
        times.sort_unstable();
        let at = |place: usize| seconds(times.get(place).copied().unwrap_or_default());
        println!(
            "| {name} | {} | {} | {} | {} | {} |",
            step.passed,
            step.failed,
            if reasons.is_empty() { "0".to_owned() } else { reasons.join(", ") },
            at(times.len() / 2),
            at(times.len().saturating_sub(1))
        );
    }
    println!();
}
