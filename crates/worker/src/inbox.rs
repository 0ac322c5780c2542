//! Where a job's task hears from those that work for it.

use sleap_rtc_peer::pump::PumpEvent;
use sleap_rtc_session::{DiskAnswer, LinkId, WorkerInput};
use tokio::sync::mpsc;

/// Inputs that may wait for the machine; whoever makes more waits.
const INPUTS: usize = 64;

/// Where the inputs come from that others make.
pub(crate) struct Inbox {
    pub(crate) to_inputs: mpsc::Sender<WorkerInput>,
    pub(crate) inputs: mpsc::Receiver<WorkerInput>,
    pub(crate) to_events: mpsc::Sender<(LinkId, PumpEvent)>,
    pub(crate) events: mpsc::Receiver<(LinkId, PumpEvent)>,
    pub(crate) to_answers: mpsc::Sender<DiskAnswer>,
    pub(crate) answers: mpsc::Receiver<DiskAnswer>,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        let (to_inputs, inputs) = mpsc::channel(INPUTS);
        let (to_events, events) = mpsc::channel(INPUTS);
        let (to_answers, answers) = mpsc::channel(INPUTS);
        Self { to_inputs, inputs, to_events, events, to_answers, answers }
    }
}
