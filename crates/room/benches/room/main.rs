//! What one room costs: time and allocations of each operation against the size of the room. No sockets, no store.
//!
//!     cargo bench -p sleap-rtc-room                          (a table)
//!     cargo bench -p sleap-rtc-room -- --svg FILE            (and the curves)
//!
//! An operation is what `Room::handle` does with its inputs, and taking out the effects. Where it says "written", the frames to
//! the peer are turned into JSON too, which is the server's part.

#![expect(clippy::disallowed_methods, reason = "a bench looks at the clock; the room does not")]
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

mod chart;
mod count;
mod lab;
mod operations;

use std::time::Instant;

use lab::Lab;

/// Peers of a room.
const SIZES: [usize; 3] = [500, 5_000, 50_000];
/// Of each operation in each room.
const SAMPLES: usize = 2_000;
/// Where somebody only wants to know whether the bench runs (`cargo test --benches`).
const FEW: usize = 20;

/// What one operation cost in one room.
#[derive(Clone, Copy, Debug)]
struct Figure {
    p50_us: f64,
    p99_us: f64,
    allocations: f64,
}

/// One operation in rooms of all sizes.
struct Row {
    name: &'static str,
    figures: Vec<Figure>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let svg = arguments.iter().position(|argument| argument == "--svg").and_then(|at| arguments.get(at + 1));
    let (sizes, samples) =
        if arguments.iter().any(|argument| argument == "--bench") { (&SIZES[..], SAMPLES) } else { (&[500][..], FEW) };
    let mut rows: Vec<Row> = operations::ALL.iter().map(|(name, _)| Row { name, figures: Vec::new() }).collect();
    let mut bytes = Vec::new();
    for size in sizes {
        let before = count::held();
        let mut lab = Lab::with_workers(*size);
        bytes.push((count::held() - before) / size);
        for (row, (_, operation)) in rows.iter_mut().zip(operations::ALL) {
            row.figures.push(measure(&mut lab, samples, operation));
        }
    }
    print_table(sizes, &rows, &bytes);
    if let Some(path) = svg {
        std::fs::write(path, chart::svg(sizes, &rows)).unwrap();
    }
}

/// Runs an operation many times. It says what it did between the two looks at the clock.
fn measure(lab: &mut Lab, samples: usize, operation: operations::Operation) -> Figure {
    let mut spent = Vec::with_capacity(samples);
    let mut allocations = 0;
    for n in 0..samples {
        let mut timed = Timed { took_us: 0.0, allocations: 0 };
        operation(lab, n, &mut timed);
        spent.push(timed.took_us);
        allocations += timed.allocations;
    }
    spent.sort_by(f64::total_cmp);
    let at = |share: f64| spent[((samples - 1) as f64 * share) as usize];
    Figure { p50_us: at(0.5), p99_us: at(0.99), allocations: allocations as f64 / samples as f64 }
}

/// A stopwatch for time and allocations.
struct Timed {
    took_us: f64,
    allocations: u64,
}

impl Timed {
    fn run<T>(&mut self, operation: impl FnOnce() -> T) -> T {
        let (allocations, begin) = (count::allocations(), Instant::now());
        let result = operation();
        self.took_us += begin.elapsed().as_secs_f64() * 1e6;
        self.allocations += count::allocations() - allocations;
        result
    }
}

fn print_table(sizes: &[usize], rows: &[Row], bytes: &[usize]) {
    print!("| µs, p50 / p99 (allocations) |");
    for size in sizes {
        print!(" {size} peers |");
    }
    println!("\n|---|{}", "---|".repeat(sizes.len()));
    for row in rows {
        print!("| {} |", row.name);
        for figure in &row.figures {
            print!(" {:.1} / {:.1} ({:.0}) |", figure.p50_us, figure.p99_us, figure.allocations);
        }
        println!();
    }
    print!("| bytes of an idle worker in the room |");
    for bytes in bytes {
        print!(" {bytes} |");
    }
    println!();
}
