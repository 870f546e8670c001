//! A strip of the grid as an actor: it computes a step whenever both neighbours' edge rows are there.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use actors_core::{Actor, Context, Handler, Link, Message, StartError, System};
use checkpointing_framework::{MemberPlan, Protection};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    observer::{Done, Observer, Progress},
    stencil::{Band, Strip},
};

/// Steps between two reports of progress.
const REPORT_EVERY: u64 = 20;
/// Steps that a strip without neighbours computes before others get the thread.
const YIELD_EVERY: u64 = 16;

/// What a strip is started from.
#[derive(Serialize, Deserialize)]
pub(crate) struct StripArgs {
    pub(crate) number: u32,
    pub(crate) band: Band,
    pub(crate) rate: f64,
    pub(crate) steps: u64,
    /// Steps that the head waits for, beside the regular reports.
    pub(crate) report_at: Vec<u64>,
    pub(crate) north: Option<Link<StripActor>>,
    pub(crate) south: Option<Link<StripActor>>,
    pub(crate) observer: Link<Observer>,
    pub(crate) member: MemberPlan,
}

/// A strip that is being computed.
pub(crate) struct StripActor {
    number: u32,
    strip: Strip,
    rate: f64,
    step: u64,
    steps: u64,
    report_at: Vec<u64>,
    north: Option<Neighbour>,
    south: Option<Neighbour>,
    observer: Link<Observer>,
    protection: Protection,
    /// Time in the stencil since the last report.
    compute: Duration,
}

/// The strip next to this one, with its edge rows from this strip's step on.
struct Neighbour {
    link: Link<StripActor>,
    rows: VecDeque<Row>,
}

/// Where a row comes from, as seen by the strip that gets it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Side {
    North,
    South,
}

/// A neighbour's edge row after a step. They come in order: one for each step.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Halo {
    from: Side,
    step: u64,
    row: Row,
}

impl Message for Halo {
    type Reply = ();
}

/// Compute while the rows are there.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Advance;

impl Message for Advance {
    type Reply = ();
}

/// Lets strips live on other nodes.
pub(crate) fn export(system: &System) {
    system
        .export::<StripActor>("strip")
        .message::<Halo>("halo")
        .constructor(|args: StripArgs, birth| StripActor::build(args, birth.system));
}

impl StripActor {
    async fn build(args: StripArgs, system: System) -> Result<Self, StartError> {
        let restored = args.member.restore_raw::<f64>().await?;
        let mut strip = Strip::new(args.band);
        let mut step = 0;
        if let Some((version, cells)) = restored {
            strip.restore(&cells).map_err(StartError::failed)?;
            step = version;
        }
        let mut protection = args.member.protect(&system);
        if step > 0 {
            protection.reprotect_raw(step, strip.cells()).await;
        }
        let neighbour = |link| Neighbour { link, rows: VecDeque::new() };
        Ok(Self {
            number: args.number,
            strip,
            rate: args.rate,
            step,
            steps: args.steps,
            report_at: args.report_at,
            north: args.north.map(neighbour),
            south: args.south.map(neighbour),
            observer: args.observer,
            protection,
            compute: Duration::ZERO,
        })
    }

    async fn advance(&mut self) {
        while self.step < self.steps && self.rows_are_there() {
            self.compute();
            self.step += 1;
            self.send_halos();
            self.protection.checkpoint_raw(self.step, self.strip.cells()).await;
            self.report();
            if self.step.is_multiple_of(YIELD_EVERY) {
                futures_lite::future::yield_now().await;
            }
        }
    }

    fn rows_are_there(&self) -> bool {
        [&self.north, &self.south].into_iter().flatten().all(|side| !side.rows.is_empty())
    }

    fn compute(&mut self) {
        let north = self.north.as_mut().and_then(|side| side.rows.pop_front());
        let south = self.south.as_mut().and_then(|side| side.rows.pop_front());
        let started = Instant::now();
        self.strip.step(self.rate, north.as_deref(), south.as_deref());
        self.compute += started.elapsed();
    }

    /// A neighbour that is being restarted gets them when it is up: its mailbox is there already.
    fn send_halos(&self) {
        if let Some(north) = &self.north {
            let row = Row(self.strip.top_row().to_vec());
            let _ = north.link.send(Halo { from: Side::South, step: self.step, row });
        }
        if let Some(south) = &self.south {
            let row = Row(self.strip.bottom_row().to_vec());
            let _ = south.link.send(Halo { from: Side::North, step: self.step, row });
        }
    }

    fn report(&mut self) {
        let done = self.step == self.steps;
        if !done && !self.step.is_multiple_of(REPORT_EVERY) && !self.report_at.contains(&self.step)
        {
            return;
        }
        let compute = std::mem::take(&mut self.compute);
        let _ = self.observer.send(Progress { strip: self.number, step: self.step, compute });
        if done {
            let cells = Row(self.strip.cells().to_vec());
            let _ = self.observer.send(Done { strip: self.number, cells });
        }
    }
}

impl Actor for StripActor {
    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), StartError> {
        self.send_halos();
        if self.step == self.steps {
            self.report();
        }
        let _ = cx.link().send(Advance);
        Ok(())
    }
}

impl Handler<Advance> for StripActor {
    async fn handle(&mut self, _: Advance, _cx: &mut Context<Self>) {
        self.advance().await;
    }
}

impl Handler<Halo> for StripActor {
    async fn handle(&mut self, halo: Halo, _cx: &mut Context<Self>) {
        let side = match halo.from {
            Side::North => &mut self.north,
            Side::South => &mut self.south,
        };
        let Some(side) = side else { return };
        debug_assert_eq!(halo.step, self.step + side.rows.len() as u64, "rows come in order");
        side.rows.push_back(halo.row);
        self.advance().await;
    }
}

/// A row of cells; on the wire its bytes.
#[derive(Debug)]
pub(crate) struct Row(pub(crate) Vec<f64>);

impl std::ops::Deref for Row {
    type Target = [f64];

    fn deref(&self) -> &[f64] {
        &self.0
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytemuck::cast_slice(&self.0))
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
        if bytes.len() % size_of::<f64>() != 0 {
            return Err(serde::de::Error::custom(format!("a row of {} bytes", bytes.len())));
        }
        Ok(Self(bytemuck::pod_collect_to_vec(&bytes)))
    }
}
