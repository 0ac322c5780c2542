//! `sleap-rtc worker`.

use std::sync::Arc;

use sleap_rtc_client::TrainError;
use sleap_rtc_link::webrtc::{self, WebRtcConnector};
use sleap_rtc_worker::slot::{Device, SlotError};
use sleap_rtc_worker::trainer::Trainer;
use sleap_rtc_worker::{Config, Shutdown, WorkerError, gpu};
use tokio::sync::{mpsc, watch};

use crate::args::WorkerArgs;
use crate::context::{Context, client_error, home_error};
use crate::errors::{CliError, CliResult};
use crate::exit::Exit;
use crate::folders;
use crate::lifecycle::{self, Ending};
use crate::notices::Notices;
use crate::printer::Printer;
use crate::ticker::Ticker;
use crate::trainer;

/// Things that may wait to be printed.
const NOTICES: usize = 64;

/// Offers the slots until it is told to end. The first Ctrl-C or SIGTERM lets a running job finish, the second one ends it.
pub(super) async fn run(args: WorkerArgs, printer: Printer) -> CliResult<Exit> {
    let context = Context::load(&args.connect)?;
    let room = context.room()?;
    let devices = devices(&args).await?;
    let data = match args.data {
        Some(data) => data,
        None => folders::data()?,
    };
    let config = Config {
        devices,
        data,
        locks: context.home.folder().join("locks"),
        name: args.name,
        tags: args.tags,
        api: context.api(),
        key: context.key()?,
        room,
        connector: Arc::new(WebRtcConnector::new(webrtc::Config::default())),
        trainer: probe(printer).await?,
        patience: args.patience,
    };
    let trainer = &config.trainer;
    printer.note(&format!("sleap-nn {} at {}", trainer.version(), trainer.path().display()));
    let (shutdown, told) = watch::channel(Shutdown::No);
    let (to_notices, mut from_worker) = mpsc::channel(NOTICES);
    let mut notices = Notices::new(printer);
    let serving = sleap_rtc_worker::run(config, to_notices, told);
    tokio::pin!(serving);
    let mut ending = std::pin::pin!(lifecycle::ending(args.until_eof));
    let served = loop {
        tokio::select! {
            served = &mut serving => break served,
            Some(notice) = from_worker.recv() => notices.say(&notice),
            why = &mut ending => {
                let wanted = wanted(why?, *shutdown.borrow(), args.until_eof);
                printer.note(match wanted {
                    Shutdown::Drain => "Ending: no new jobs; a job that runs is finished first. Again: end it now.",
                    _ => "Ending now.",
                });
                shutdown.send_replace(wanted);
                ending.set(lifecycle::ending(false));
            }
        }
    };
    while let Ok(notice) = from_worker.try_recv() {
        notices.say(&notice);
    }
    served.map(|()| Exit::Ok).map_err(|error| worker_error(&context, &error))
}

/// What is wanted next. Whoever closed our input is gone and waits for nothing.
fn wanted(ending: Ending, now: Shutdown, until_eof: bool) -> Shutdown {
    match (now, ending) {
        (Shutdown::No, Ending::Interrupt) => Shutdown::Drain,
        (Shutdown::No, Ending::Terminate) if !until_eof => Shutdown::Drain,
        _ => Shutdown::Now,
    }
}

/// The slots that were asked for.
async fn devices(args: &WorkerArgs) -> CliResult<Vec<Device>> {
    if args.cpu {
        return Ok(vec![Device::Cpu]);
    }
    if args.gpus.is_empty() {
        return Err(no_device().await);
    }
    let mut devices: Vec<Device> = Vec::new();
    for index in &args.gpus {
        let found = gpu::find(*index).await.map_err(|error| {
            CliError::new(Exit::Usage, format!("cannot offer GPU {index}"))
                .because(&error)
                .hint("nvidia-smi lists the GPUs; without one: sleap-rtc worker --cpu")
        })?;
        let device = Device::Gpu(found);
        if !devices.contains(&device) {
            devices.push(device);
        }
    }
    Ok(devices)
}

/// Neither `--gpu` nor `--cpu`: says what there is.
async fn no_device() -> CliError {
    let error = CliError::new(Exit::Usage, "nothing is offered");
    match gpu::list().await {
        Ok(gpus) if !gpus.is_empty() => {
            let list: Vec<String> = gpus.iter().map(|gpu| format!("{} ({})", gpu.index, gpu.name)).collect();
            error
                .cause(format!("this machine has GPU {}, and none was named", list.join(", ")))
                .hint(format!("sleap-rtc worker --gpu {}", gpus[0].index))
        }
        Ok(_) => error.cause("this machine has no GPU that nvidia-smi knows").hint("sleap-rtc worker --cpu"),
        Err(why) => error.because(&why).hint("without a GPU, training is slow but works: sleap-rtc worker --cpu"),
    }
}

/// The trainer, found and asked for its version.
async fn probe(printer: Printer) -> CliResult<Trainer> {
    let found = trainer::find()?.ok_or_else(|| {
        CliError::new(Exit::NoTrainer, "there is no trainer on this machine")
            .cause("no sleap-nn is installed, on PATH, or named by SLEAP_RTC_TRAINER")
            .hint("sleap-rtc trainer install")
    })?;
    let mut wait = Ticker::new(printer, "starting sleap-nn");
    let probed = Trainer::probe(&found.path);
    tokio::pin!(probed);
    let mut tick = tokio::time::interval(std::time::Duration::from_secs(1));
    loop {
        tokio::select! {
            probed = &mut probed => return probed.map_err(|error| {
                let hint = error.hint().unwrap_or_else(|| "sleap-rtc trainer install".to_owned());
                CliError::new(Exit::NoTrainer, "cannot use the trainer").because(&error).hint(hint)
            }),
            _ = tick.tick() => wait.tick(),
        }
    }
}

fn worker_error(context: &Context, error: &WorkerError) -> CliError {
    match error {
        WorkerError::Refused { room, cause } => {
            let server = context.settings.server.value.to_string();
            client_error(&TrainError::Server { server, room: room.clone(), cause: cause.clone() })
        }
        WorkerError::Slot(SlotError::Taken(_)) => CliError::new(Exit::Taken, "the worker did not start")
            .because(error)
            .hint("end that one, or offer another GPU; what is offered: sleap-rtc status"),
        WorkerError::Replaced { .. } => CliError::new(Exit::Taken, "the worker has ended").because(error).hint(
            "two machines share this installation's folder and a host name: give each its own, or end one of them",
        ),
        WorkerError::Home(error) => home_error(error),
        WorkerError::Slot(_) | WorkerError::Disk(_) => {
            CliError::new(Exit::LocalDisk, "the worker cannot use its folder")
                .because(error)
                .hint("check the disk, or name another folder: sleap-rtc worker --data DIR")
        }
    }
}
