//! Runs worlds, and says what it has seen.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use sleap_rtc_sim::{Failure, Plan, hunt, read_plan, rooms_alone, run, run_many, shrink, story, write_plan};
use sleap_rtc_wire::mutation::Mutation;

/// Seeds within which a broken rule must be found.
const CAUGHT_WITHIN: u64 = 1_000;

#[derive(Parser)]
#[command(about = "A deterministic world of rooms, workers and clients, with every fault that we know of")]
struct Args {
    /// How many worlds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Events of each, before it is brought to its end.
    #[arg(long, default_value_t = 2_000)]
    events: u64,
    /// Break each rule on purpose, and see that it is found.
    #[arg(long)]
    mutations: bool,
    /// Tell the rooms of these worlds again what they were told, with nothing around, and measure that.
    #[arg(long)]
    rooms_alone: bool,
    /// One world.
    #[arg(long)]
    seed: Option<u64>,
    /// A world from a file.
    #[arg(long)]
    plan: Option<PathBuf>,
    /// With one world: tell everything that happens.
    #[arg(long)]
    trace: bool,
    /// At once.
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    threads: usize,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // What breaks is told with the plan that breaks it.
    std::panic::set_hook(Box::new(|_| {}));
    let good = if let Some(path) = &args.plan {
        match std::fs::read_to_string(path)
            .map_err(|error| error.to_string())
            .and_then(|text| read_plan(&text).map_err(|error| error.to_string()))
        {
            Ok(plan) => one(&plan, &args),
            Err(error) => {
                eprintln!("error: cannot read {}: {error}", path.display());
                false
            }
        }
    } else if let Some(seed) = args.seed {
        one(&Plan::new(seed, args.events), &args)
    } else if args.rooms_alone {
        let (inputs, took) = rooms_alone(args.first..args.first + args.seeds, args.events);
        println!("{inputs} inputs in {:.2} s: {:.0} a second", took.as_secs_f64(), inputs as f64 / took.as_secs_f64());
        true
    } else if args.mutations {
        mutations(&args)
    } else {
        many(&args)
    };
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(plan: &Plan, args: &Args) -> bool {
    if args.trace {
        print!("{}", story(plan));
    }
    let (world, failure) = run(plan);
    println!("{} events, hash {:016x}", world.steps(), world.hash());
    match &failure {
        Some(failure) => tell(failure),
        None => println!("every rule holds"),
    }
    failure.is_none()
}

#[expect(clippy::disallowed_methods, reason = "a measurement, not a part of any world")]
fn many(args: &Args) -> bool {
    let began = Instant::now();
    let sum = run_many(args.first..args.first + args.seeds, args.events, args.threads);
    let took = began.elapsed().as_secs_f64();
    print!("{}", sum.seen.table());
    println!(
        "\n{} worlds, {} events in {took:.1} s on {} threads: {:.0} checked events a second, {:.0} a thread",
        sum.seen.of,
        sum.events,
        args.threads,
        sum.events as f64 / took,
        sum.events as f64 / took / args.threads as f64
    );
    if let Some(failure) = sum.failures.first() {
        tell(failure);
        return false;
    }
    let rare = sum.seen.rare();
    if args.seeds >= CAUGHT_WITHIN && !rare.is_empty() {
        println!("in less than 1 % of the worlds: {}", rare.join("; "));
        return false;
    }
    println!("every rule holds in every world");
    true
}

/// What is broken, and the smallest plan that shows it.
fn tell(failure: &Failure) {
    println!("seed {} after {} events: {}", failure.plan.seed, failure.events, failure.violation);
    let small = shrink(failure);
    println!("\n# {}\n{}", small.violation, write_plan(&small.plan));
}

fn mutations(args: &Args) -> bool {
    let mut all = true;
    println!("{:<24} {:>5} {:>7}  what found it", "broken", "seed", "events");
    for mutation in Mutation::ALL {
        let found = hunt(mutation, args.first..args.first + args.seeds.min(CAUGHT_WITHIN), args.events);
        all &= found.is_some();
        let found = found.map_or_else(
            || "NOT FOUND".to_owned(),
            |failure| format!("{:>5} {:>7}  {}", failure.plan.seed, failure.events, failure.violation.rule.name()),
        );
        println!("{:<24} {found}", format!("{mutation:?}"));
    }
    all
}
