use sleap_rtc_link::OfferedLink;
use sleap_rtc_link::memory::Network;
use sleap_rtc_peer::api::Api;
use sleap_rtc_peer::chunks::ChunkStore;
use sleap_rtc_peer::clock::Clock;
use sleap_rtc_peer::home::FenceFile;
use sleap_rtc_session::KeyPair;
use sleap_rtc_session::pool_line::FirstTry;
use sleap_rtc_session::pool_worker::{Seen, Setup};
use sleap_rtc_wire::job::FailCode;
use sleap_rtc_wire::{Fence, Metadata, Time};

use super::*;
use crate::folder::tests::record;
use crate::trainer::{Device, Trainer};

/// Less than an open link may take.
const PATIENCE: Duration = Duration::from_secs(15);
const ADA: u8 = 1;
const BOB: u8 = 2;

/// A slot whose server is not there.
struct Rig {
    home: tempfile::TempDir,
    network: Network,
    daemon: Daemon,
    running: Running,
    _shutdown: watch::Sender<Shutdown>,
}

impl Rig {
    fn new() -> Self {
        let (home, network) = (tempfile::tempdir().unwrap(), Network::new());
        let room = RoomId::new("a7f3d2e1").unwrap();
        let peer = PeerId::new("gpu-box").unwrap();
        let key = KeyPair::from_seed(&[9; 32]);
        let setup = Setup {
            peer_id: peer.clone(),
            room_id: room.clone(),
            token: Some("t".to_owned()),
            metadata: Metadata::default(),
            seen: Seen::default(),
            kept: vec![],
            first: FirstTry::KeepTrying,
        };
        let api = Api::new("http://127.0.0.1:9".parse().unwrap());
        let pool = WorkerPool::start(api, key.clone(), setup, FenceFile::of(home.path(), &room));
        let means = Means {
            key,
            trainer: Trainer::absent(),
            device: Device::Cpu { threads: 1 },
            device_word: "cpu".to_owned(),
            store: ChunkStore::open(home.path().join("chunks")).unwrap(),
            gone_ms: 600_000,
            clock: Clock::start(),
        };
        let (shutdown, told) = watch::channel(Shutdown::No);
        let connector: Arc<dyn Connector> = Arc::new(network.connector());
        let running = Running {
            maker: Maker::new(connector.clone(), pool.handle()),
            handle: pool.handle(),
            jobs: HashMap::new(),
            tasks: JoinSet::new(),
            stranger: JoinSet::new(),
            sweeping: JoinSet::new(),
            to_news: mpsc::unbounded_channel().0,
        };
        let (means, jobs, notices) = (Arc::new(means), home.path().join("jobs"), mpsc::channel(1).0);
        let daemon = Daemon { pool, connector, means, room, peer, jobs, notices, shutdown: told };
        Self { home, network, daemon, running, _shutdown: shutdown }
    }

    fn folder(&self, job: &str) -> JobFolder {
        JobFolder::of(&self.home.path().join("jobs"), &JobId::new(job).unwrap())
    }

    /// An offer that somebody waits for, and will not use.
    async fn offer(&self, from: &str) -> (Box<dyn OfferedLink>, Offer) {
        let offered = self.network.connector().offer(&[]).await.unwrap();
        let offer = Offer { from: PeerId::new(from).unwrap(), sdp: offered.sdp().to_owned(), claimed: true };
        (offered, offer)
    }

    async fn event(&mut self, event: WorkerEvent) {
        self.daemon.event(&mut self.running, event).await;
    }

    /// Waits for the end of one task.
    async fn ended(&mut self) -> JobId {
        let done = tokio::time::timeout(PATIENCE, self.running.tasks.join_next()).await.expect("it ends").unwrap();
        let job = done.as_ref().map_or_else(|_| JobId::new("broken").unwrap(), |(job, _)| job.clone());
        self.daemon.task_ended(&mut self.running, done).await;
        job
    }
}

fn granted(claim: &str, job: &str, attempt: u32, key: u8) -> ClaimGranted {
    ClaimGranted {
        claim_id: ClaimId::new(claim).unwrap(),
        fence: Fence { epoch: 1, counter: 7 },
        client: PeerId::new("laptop").unwrap(),
        client_key: Some(KeyPair::from_seed(&[key; 32]).public()),
        job_id: JobId::new(job).unwrap(),
        attempt,
        lease_until: Time(0),
    }
}

#[tokio::test]
async fn a_claim_that_is_over_ends_its_job_though_its_link_is_still_being_made() {
    let mut rig = Rig::new();
    let (_offered, Offer { from, sdp, .. }) = rig.offer("laptop").await;
    let admission = Admission::Claim(granted("c1", "j1", 1, ADA));
    rig.event(WorkerEvent::Offer { from: from.clone(), sdp, admission }).await;
    rig.event(WorkerEvent::Withdraw { from, job: Some(JobId::new("j1").unwrap()) }).await;
    assert_eq!(rig.ended().await.as_str(), "j1");
    assert!(rig.running.jobs.is_empty() && rig.running.tasks.is_empty());
}

#[tokio::test]
async fn a_later_claim_does_not_find_the_task_of_an_earlier_one() {
    let mut rig = Rig::new();
    let mut waiting = Vec::new();
    for claim in ["c1", "c2"] {
        let (offered, offer) = rig.offer("laptop").await;
        rig.daemon.granted(&mut rig.running, &granted(claim, "j1", 1, ADA), offer).await.unwrap();
        waiting.push(offered);
    }
    assert_eq!(rig.running.tasks.len(), 2);
    rig.ended().await;
    assert_eq!(rig.running.jobs[&JobId::new("j1").unwrap()].claim.as_str(), "c2");
    assert_eq!(rig.running.tasks.len(), 1);
}

#[tokio::test]
async fn nobody_names_away_the_results_of_another() {
    let mut rig = Rig::new();
    record(&rig.folder("j1"), "j1", ADA, Some(Time(5)));
    for (attempt, key) in [(1, BOB), (2, BOB), (1, ADA)] {
        let (_offered, offer) = rig.offer("laptop").await;
        let refused = rig.daemon.granted(&mut rig.running, &granted("c9", "j1", attempt, key), offer).await;
        assert_eq!(refused, Err("job j1 was here before".to_owned()));
    }
    let (_offered, offer) = rig.offer("laptop").await;
    rig.daemon.granted(&mut rig.running, &granted("c9", "j1", 2, ADA), offer).await.unwrap();
    rig.event(WorkerEvent::Withdraw { from: PeerId::new("laptop").unwrap(), job: JobId::new("j1").ok() }).await;
    rig.ended().await;
    assert!(rig.folder("j1").state().unwrap().is_some(), "a claim that nobody used takes nothing away");
}

#[tokio::test]
async fn a_kept_job_goes_again_when_its_visitor_does_not_come() {
    let mut rig = Rig::new();
    record(&rig.folder("j1"), "j1", ADA, Some(Time(5)));
    let admission = Admission::Reattach(JobId::new("j1").unwrap());
    let from = PeerId::new("laptop").unwrap();
    rig.event(WorkerEvent::Offer { from, sdp: "nonsense".to_owned(), admission }).await;
    assert_eq!(rig.running.tasks.len(), 1);
    rig.ended().await;
    assert!(rig.running.jobs.is_empty());
}

#[tokio::test]
async fn a_job_that_was_turned_down_does_not_hold_up_a_worker_that_leaves() {
    let mut rig = Rig::new();
    let (offered, offer) = rig.offer("laptop").await;
    rig.daemon.granted(&mut rig.running, &granted("c1", "j1", 1, ADA), offer).await.unwrap();
    let job = &rig.running.jobs[&JobId::new("j1").unwrap()];
    job.commands.send(Command::Abort { cause: "on purpose".to_owned() }).await.unwrap();
    drop(offered);
    let leaving = rig.daemon.see_off(&mut rig.running);
    tokio::time::timeout(PATIENCE, leaving).await.expect("out of the room nobody can come back to it");
}

#[tokio::test]
async fn an_offer_that_comes_while_the_task_ends_is_not_lost() {
    let mut rig = Rig::new();
    record(&rig.folder("j1"), "j1", ADA, Some(Time(5)));
    let (offered, offer) = rig.offer("laptop").await;
    rig.daemon.task_ended(&mut rig.running, Ok((JobId::new("j1").unwrap(), vec![offer]))).await;
    assert_eq!(rig.running.tasks.len(), 1, "the job is brought back for it");
    drop(offered);
    rig.ended().await;
}

#[tokio::test]
async fn a_job_whose_task_breaks_off_ends_once_as_lost() {
    let mut rig = Rig::new();
    record(&rig.folder("j1"), "j1", ADA, None);
    let (job, claim) = (JobId::new("j1").unwrap(), ClaimId::new("c1").unwrap());
    rig.running.jobs.insert(job, Job { claim, commands: mpsc::channel(1).0 });
    rig.running.tasks.spawn(async { panic!("on purpose") });
    assert_eq!(rig.ended().await.as_str(), "broken");
    assert_eq!(rig.ended().await.as_str(), "j1");
    let (end, _) = rig.folder("j1").state().unwrap().unwrap().end.expect("an end");
    assert_eq!(end.code, Some(FailCode::WorkerLost));
}

#[tokio::test]
async fn what_an_earlier_run_left_unfinished_ends_once_as_lost() {
    let mut rig = Rig::new();
    record(&rig.folder("j1"), "j1", ADA, None);
    let Left { unfinished, kept } = left(&rig.daemon.jobs).unwrap();
    assert_eq!((unfinished.len(), kept.len()), (1, 1));
    for (folder, state) in unfinished {
        rig.daemon.restore(&mut rig.running, folder, state, None);
    }
    rig.ended().await;
    assert!(rig.running.jobs.is_empty() && rig.running.tasks.is_empty());
    let again = left(&rig.daemon.jobs).unwrap();
    assert_eq!((again.unfinished.len(), again.kept.len()), (0, 1));
    let text = std::fs::read_to_string(rig.folder("j1").record()).unwrap();
    assert_eq!(text.matches("\"ended\"").count(), 1, "{text}");
}

#[tokio::test]
async fn an_attempt_that_a_later_one_replaced_is_told_so() {
    let mut rig = Rig::new();
    let (commands, mut told) = mpsc::channel(1);
    let (job, claim) = (JobId::new("j1").unwrap(), ClaimId::new("c1").unwrap());
    rig.running.jobs.insert(job.clone(), Job { claim, commands });
    rig.event(WorkerEvent::Superseded { job }).await;
    assert!(matches!(told.recv().await, Some(Command::Superseded)));
    rig.event(WorkerEvent::Superseded { job: JobId::new("other").unwrap() }).await;
}

#[tokio::test]
async fn a_job_that_nobody_has_brought_is_over_when_a_later_attempt_replaced_it() {
    let mut rig = Rig::new();
    let (_offered, offer) = rig.offer("laptop").await;
    rig.daemon.granted(&mut rig.running, &granted("c1", "j1", 1, ADA), offer).await.unwrap();
    rig.running.jobs[&JobId::new("j1").unwrap()].commands.send(Command::Superseded).await.unwrap();
    rig.event(WorkerEvent::Withdraw { from: PeerId::new("laptop").unwrap(), job: JobId::new("j1").ok() }).await;
    assert_eq!(rig.ended().await.as_str(), "j1");
    assert!(rig.running.jobs.is_empty());
}

#[tokio::test]
async fn whoever_lost_the_place_to_another_worker_says_to_whom() {
    let error = Rig::new().daemon.gave_up(Cause::Replaced);
    assert_eq!(error.to_string(), "room a7f3d2e1: another worker has registered as gpu-box");
    let cause = Cause::Unreachable("no route".to_owned());
    assert!(matches!(Rig::new().daemon.gave_up(cause), WorkerError::Refused { .. }));
}
